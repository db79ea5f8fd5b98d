import { EventEmitter } from "node:events";
import { readModelInfo } from "../model/model-info.ts";
import type { ProviderFallback } from "../sessions/computation.ts";
import { SpeechError } from "../speech-error.ts";
import { type SpeechCheckpoint, type SpeechEvent, speechCheckpointSchema } from "../speech-events.ts";
import { parseSpeechOptions } from "../speech-options.ts";
import { EventInbox } from "./event-inbox.ts";
import type { FromChild, ThreadSettings, ToChild } from "./messages.ts";
import { SpeechChild } from "./speech-child.ts";
import type {
  BatchRuns,
  ChildExit,
  RuntimeHealth,
  SpeechLogEntry,
  SpeechRuntime,
  SpeechRuntimeSettings,
  TranscribeRequest,
} from "./speech-runtime.ts";

type Running = { id: string; inbox: EventInbox<SpeechEvent>; child: SpeechChild };

/** Prepares the speech engine; its child process starts with the first request. Close it. */
export function startSpeechRuntime(settings: SpeechRuntimeSettings): SpeechRuntime {
  return new ChildRuntime(settings);
}

class ChildRuntime implements SpeechRuntime {
  readonly #settings: ThreadSettings;
  readonly #log: (entry: SpeechLogEntry) => void;
  readonly #onRuns: (runs: BatchRuns) => void;
  readonly #onFallback: (fallback: ProviderFallback) => void;
  readonly #emitter = new EventEmitter<{ "child-exit": [ChildExit] }>();
  readonly #running = new Map<string, Running>();
  readonly #closing = new AbortController();
  #child: SpeechChild | undefined;
  /** Whether the child has unloaded models: memory that it gave back, it gave to itself in part. */
  #worn = false;
  #childStarts = 0;
  #requests = 0;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(settings: SpeechRuntimeSettings) {
    this.#settings = {
      executionProviders: settings.executionProviders,
      intraOpThreads: settings.intraOpThreads,
      modelIdleSeconds: settings.modelIdleSeconds ?? 300,
      modelMemoryBytes: settings.modelMemoryBytes,
      deadlineFloorMs: settings.deadlineFloorMs ?? 30_000,
      graphs: settings.graphs,
    };
    this.#log = settings.log ?? (() => {});
    this.#onRuns = settings.onRuns ?? (() => {});
    this.#onFallback = settings.onFallback ?? (() => {});
  }

  async *transcribe(request: TranscribeRequest, signal: AbortSignal): AsyncGenerator<SpeechEvent, void, undefined> {
    const options = parseSpeechOptions(request.options);
    const resume = request.resume === undefined ? undefined : parseCheckpoint(request.resume);
    const { id: seed, model, pcmPath, tenant, priority } = request;
    const standing = { tenant, priority };
    yield* this.#ask(request.id, signal, (key) => {
      return { type: "transcribe", request: { key, seed, standing, model, pcmPath, options, resume } };
    });
  }

  async preload(folder: string, signal: AbortSignal): Promise<string> {
    for await (const event of this.#ask("preload", signal, (key) => ({ type: "preload", key, model: folder }))) {
      if (event.type === "model") return event.computation;
    }
    throw new SpeechError("internal", "the model was loaded, but did not say how");
  }

  /** Sends the child a request, and gives the events that it answers with. */
  async *#ask(id: string, signal: AbortSignal, message: (key: string) => ToChild) {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const cancelled = () => new SpeechError("cancelled", "the request was cancelled");
    if (ended.aborted) throw cancelled();

    // Ids come again when a job is tried again, maybe before the child has let go of the last try.
    const key = `${++this.#requests}`;
    const inbox = new EventInbox<SpeechEvent>();
    const cancel = () => inbox.fail(cancelled());
    ended.addEventListener("abort", cancel, { once: true });
    const child = this.#childForUse();
    this.#running.set(key, { id, inbox, child });
    child.send(message(key));
    try {
      yield* inbox;
    } finally {
      ended.removeEventListener("abort", cancel);
      this.#running.delete(key);
      // Whatever ended the reading, the child need not go on; to a request that it has ended, this says nothing.
      child.send({ type: "cancel", key });
      if (this.#running.size === 0) this.#rest();
    }
  }

  health(): RuntimeHealth {
    const child = this.#child;
    return {
      state: this.#closing.signal.aborted ? "closed" : child ? "running" : "stopped",
      activeRequests: this.#running.size,
      childStarts: this.#childStarts,
      ...(child && { pid: child.pid, heartbeatAgeMs: performance.now() - child.lastMessageAt }),
      ...(child?.operation !== undefined && { operation: child.operation }),
    };
  }

  modelInfo(folder: string) {
    return readModelInfo(folder, this.#closing.signal);
  }

  on(event: "child-exit", listener: (exit: ChildExit) => void) {
    this.#emitter.on(event, listener);
  }

  off(event: "child-exit", listener: (exit: ChildExit) => void) {
    this.#emitter.off(event, listener);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#idleTimer);
    const child = this.#child;
    child?.kill("the runtime was closed");
    await child?.exited;
  }

  #childForUse(): SpeechChild {
    clearTimeout(this.#idleTimer);
    if (this.#child) return this.#child;
    this.#childStarts++;
    this.#worn = false;
    const child: SpeechChild = new SpeechChild(this.#settings, () => this.#running.size > 0, {
      message: (message) => this.#receive(message),
      errorLine: (line) => this.#log({ level: "warn", message: "The speech child wrote an error", line }),
      exit: ({ code, signal, reason, overdueKey }) => {
        if (this.#child === child) this.#child = undefined;
        const own = [...this.#running].filter(([, running]) => running.child === child);
        const requests = own.map(([, { id }]) => id);
        for (const [key, { inbox }] of own) inbox.fail(deathOf(key, overdueKey, reason));
        const exit = { pid: child.pid, code, signal, reason, requests };
        this.#log({ level: requests.length > 0 ? "error" : "info", message: "The speech child ended", ...exit });
        this.#emitter.emit("child-exit", exit);
      },
    });
    this.#child = child;
    return child;
  }

  #receive(message: FromChild) {
    if (message.type === "log") this.#log(message.entry);
    else if (message.type === "runs") this.#onRuns(message.occupancy);
    else if (message.type === "fallback") {
      this.#log({
        level: "warn",
        message: "An execution provider failed; another one runs the model",
        ...message.fallback,
      });
      this.#onFallback(message.fallback);
    } else if (message.type === "unloaded") {
      this.#worn = true;
      if (this.#running.size === 0) this.#rest();
    } else if (message.type === "event") this.#running.get(message.key)?.inbox.push(message.event);
    else if (message.type === "ended") {
      const inbox = this.#running.get(message.key)?.inbox;
      if (message.error) inbox?.fail(new SpeechError(message.error.code, message.error.message));
      else inbox?.close();
    } else if (message.type === "operation") {
      // All requests share the child, so all depend on the run that is under way, whosever it is.
      const { operation, deadlineMs } = message;
      for (const { inbox } of this.#running.values()) {
        inbox.push({ type: "operation", operation, deadlineMs }, (older) => older.type === "operation");
      }
    }
  }

  /** Nobody asks for anything: a child that has unloaded models ends, to give their memory back; another one in a while. */
  #rest() {
    if (this.#closing.signal.aborted) return;
    clearTimeout(this.#idleTimer);
    if (this.#worn) this.#dismiss("it gave a model's memory back");
    else this.#idleTimer = setTimeout(() => this.#dismiss("it was idle"), this.#settings.modelIdleSeconds * 1000);
  }

  /** Ends a child that has nothing to do; whoever asks from now on gets another one. */
  #dismiss(reason: string) {
    const child = this.#child;
    this.#child = undefined;
    child?.kill(reason);
  }
}

function deathOf(key: string, overdueKey: string | undefined, reason: string): SpeechError {
  if (key === overdueKey) return new SpeechError("timeout", `the speech child was stopped: ${reason}`);
  return new SpeechError("worker_crashed", `the speech child ended: ${reason}`);
}

function parseCheckpoint(checkpoint: unknown): SpeechCheckpoint {
  const parsed = speechCheckpointSchema.safeParse(checkpoint);
  if (parsed.success) return parsed.data;
  throw new SpeechError("invalid_option", `resume: ${parsed.error.issues[0]?.message}`);
}
