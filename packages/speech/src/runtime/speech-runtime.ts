import type { ModelInfo } from "../model/model-info.ts";
import type { ProviderFallback } from "../sessions/computation.ts";
import type { GraphSettings } from "../sessions/open-whisper-model.ts";
import type { SpeechCheckpoint, SpeechEvent } from "../speech-events.ts";
import type { SpeechOptions } from "../speech-options.ts";

export type TranscribeRequest = {
  /** Unique among running requests; also seeds sampling, so give a job the same id in every attempt. */
  id: string;
  /** Folder of the model. */
  model: string;
  /** File of 16 kHz mono signed 16-bit little-endian samples, without header. */
  pcmPath: string;
  options: SpeechOptions;
  /** Go on after this checkpoint of an earlier attempt of the same request; one of another computation is left aside. */
  resume?: SpeechCheckpoint;
  /** Requests share the model's batches: by priority (lower first), then fairly between tenants. */
  tenant?: string;
  priority?: number;
};

export type SpeechRuntimeSettings = {
  /** Providers of onnxruntime in order of preference, e.g. `["cpu"]`. */
  executionProviders: readonly string[];
  intraOpThreads: number;
  /** Compiles safetensors where a model has them; absent: ONNX exports only. */
  graphs?: GraphSettings;
  /** A model is unloaded after this long without use; after as long without any request, the child ends. Default 300. */
  modelIdleSeconds?: number;
  /** What models may need together, by the size of their weights; unused ones leave for others. Absent: no limit. */
  modelMemoryBytes?: number | undefined;
  /** The least time that a native run is given before the child is taken for stuck and killed. Default 30,000. */
  deadlineFloorMs?: number;
  /** Told about once a second while decoding runs. */
  onRuns?: (runs: BatchRuns) => void;
  /** Told, with one line in the log, where a provider fails and another one runs a model instead. */
  onFallback?: (fallback: ProviderFallback) => void;
  log?: (entry: SpeechLogEntry) => void;
};

export type SpeechLogEntry = { level: "debug" | "info" | "warn" | "error"; message: string; [field: string]: unknown };

/** Runs of decoding since the last time: how many there were of each share of a batch's rows that were used. */
export type BatchRuns = readonly (readonly [share: number, runs: number])[];

export type ChildExit = { pid: number; code: number | null; signal: string | null; reason: string; requests: string[] };

export type RuntimeHealth = {
  /** `stopped`: there is no child; the next request starts one. */
  state: "stopped" | "running" | "closed";
  pid?: number;
  activeRequests: number;
  /** Age of the child's last heartbeat. */
  heartbeatAgeMs?: number;
  operation?: string;
  childStarts: number;
};

/** The speech engine as its owner sees it: one child process at a time, started on first use and after each death. */
export interface SpeechRuntime {
  /**
   * Transcribes a file; windows come as they are finished. Ends with `done`, or throws a SpeechError. Aborting `signal`
   * ends it at once as `cancelled`; leaving the loop early stops the work too.
   */
  transcribe(request: TranscribeRequest, signal: AbortSignal): AsyncIterable<SpeechEvent>;
  health(): RuntimeHealth;
  /**
   * Loads a model before anyone asks for it, compiling it where it is to be; it leaves as any other. Gives its computation,
   * e.g. `cpu/fp32/compiled`; throws a SpeechError.
   */
  preload(folder: string, signal: AbortSignal): Promise<string>;
  /** Reads a model folder's own files, without loading the model. Throws `model_unavailable` or `invalid_model`. */
  modelInfo(folder: string): Promise<ModelInfo>;
  on(event: "child-exit", listener: (exit: ChildExit) => void): void;
  off(event: "child-exit", listener: (exit: ChildExit) => void): void;
  /** Ends running requests as `cancelled` and the child with them. */
  close(): Promise<void>;
}
