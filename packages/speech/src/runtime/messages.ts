import type { ProviderFallback } from "../sessions/computation.ts";
import type { GraphSettings } from "../sessions/open-whisper-model.ts";
import type { SpeechErrorMessage } from "../speech-error.ts";
import type { SpeechCheckpoint, SpeechEvent } from "../speech-events.ts";
import type { ParsedSpeechOptions } from "../speech-options.ts";
import type { Standing } from "./fair-shares.ts";
import type { SpeechLogEntry } from "./speech-runtime.ts";

/** What the session thread needs to know before its first request. */
export type ThreadSettings = {
  executionProviders: readonly string[];
  intraOpThreads: number;
  modelIdleSeconds: number;
  modelMemoryBytes?: number | undefined;
  deadlineFloorMs: number;
  graphs?: GraphSettings | undefined;
};

/** A request as the child gets it: checked, under a key that no other request ever has. */
export type ChildRequest = {
  key: string;
  seed: string;
  standing: Standing;
  model: string;
  pcmPath: string;
  options: ParsedSpeechOptions;
  resume?: SpeechCheckpoint | undefined;
};

/** From the parent to the child; all but `start` are passed on to the session thread. */
export type ToChild =
  | { type: "start"; settings: ThreadSettings }
  | { type: "transcribe"; request: ChildRequest }
  | { type: "cancel"; key: string }
  /** Loads a model before anyone asks for it. */
  | { type: "preload"; key: string; model: string };

/** From the child to the parent; all but `heartbeat` come from the session thread. */
export type FromChild =
  | { type: "heartbeat" }
  /** A run is under way for the request `key`. */
  | { type: "operation"; key: string; operation: string; deadlineMs: number }
  /** Nothing is under way: no deadline holds. */
  | { type: "resting" }
  | { type: "event"; key: string; event: SpeechEvent }
  | { type: "ended"; key: string; error?: SpeechErrorMessage }
  /** Runs of decoding since the last such message: how many there were of each share of the rows that there could have been. */
  | { type: "runs"; occupancy: [share: number, runs: number][] }
  /** A model runs on another provider than it should. */
  | { type: "fallback"; fallback: ProviderFallback }
  /** A model has left the memory; not all of it comes back while the process lives. */
  | { type: "unloaded" }
  | { type: "log"; entry: SpeechLogEntry };
