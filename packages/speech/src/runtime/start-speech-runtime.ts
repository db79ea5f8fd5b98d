import { EventEmitter } from "node:events";
import { readModelInfo } from "../model/model-info.ts";
import { SpeechError } from "../speech-error.ts";
import { type SpeechCheckpoint, type SpeechEvent, speechCheckpointSchema } from "../speech-events.ts";
import { parseSpeechOptions } from "../speech-options.ts";
import { EventInbox } from "./event-inbox.ts";
import type { FromChild, ThreadSettings } from "./messages.ts";
import { SpeechChild } from "./speech-child.ts";
import type {
  ChildExit,
  RuntimeHealth,
  SpeechLogEntry,
  SpeechRuntime,
  SpeechRuntimeSettings,
  TranscribeRequest,
} from "./speech-runtime.ts";

/** Prepares the speech engine; its child process starts with the first request. Close it. */
export function startSpeechRuntime(settings: SpeechRuntimeSettings): SpeechRuntime {
  return new ChildRuntime(settings);
}

class ChildRuntime implements SpeechRuntime {
  readonly #settings: ThreadSettings;
  readonly #log: (entry: SpeechLogEntry) => void;
  readonly #emitter = new EventEmitter<{ "child-exit": [ChildExit] }>();
  readonly #running = new Map<string, { id: string; inbox: EventInbox<SpeechEvent> }>();
  readonly #closing = new AbortController();
  #child: SpeechChild | undefined;
  #childStarts = 0;
  #requests = 0;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(settings: SpeechRuntimeSettings) {
    this.#settings = {
      executionProviders: settings.executionProviders,
      intraOpThreads: settings.intraOpThreads,
      modelIdleSeconds: settings.modelIdleSeconds ?? 300,
      deadlineFloorMs: settings.deadlineFloorMs ?? 30_000,
      graphs: settings.graphs,
    };
    this.#log = settings.log ?? (() => {});
  }

  async *transcribe(request: TranscribeRequest, signal: AbortSignal): AsyncGenerator<SpeechEvent, void, undefined> {
    const options = parseSpeechOptions(request.options);
    const resume = request.resume === undefined ? undefined : parseCheckpoint(request.resume);
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const cancelled = () => new SpeechError("cancelled", "the request was cancelled");
    if (ended.aborted) throw cancelled();

    // Ids come again when a job is tried again, maybe before the child has let go of the last try.
    const key = `${++this.#requests}`;
    const inbox = new EventInbox<SpeechEvent>();
    const cancel = () => inbox.fail(cancelled());
    ended.addEventListener("abort", cancel, { once: true });
    this.#running.set(key, { id: request.id, inbox });
    clearTimeout(this.#idleTimer);
    const child = this.#childForUse();
    const { id: seed, model, pcmPath } = request;
    child.send({ type: "transcribe", request: { key, seed, model, pcmPath, options, resume } });
    try {
      yield* inbox;
    } finally {
      ended.removeEventListener("abort", cancel);
      this.#running.delete(key);
      // Whatever ended the reading, the child need not go on; to a request that it has ended, this says nothing.
      child.send({ type: "cancel", key });
      if (this.#running.size === 0) this.#restLater();
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
    if (this.#child) return this.#child;
    this.#childStarts++;
    const child: SpeechChild = new SpeechChild(this.#settings, () => this.#running.size > 0, {
      message: (message) => this.#receive(message),
      errorLine: (line) => this.#log({ level: "warn", message: "The speech child wrote an error", line }),
      exit: ({ code, signal, reason, overdueKey }) => {
        if (this.#child === child) this.#child = undefined;
        const requests = [...this.#running.values()].map(({ id }) => id);
        for (const [key, { inbox }] of this.#running) inbox.fail(deathOf(key, overdueKey, reason));
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
    else if (message.type === "event") this.#running.get(message.key)?.inbox.push(message.event);
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

  #restLater() {
    if (this.#closing.signal.aborted) return;
    this.#idleTimer = setTimeout(() => {
      if (this.#running.size === 0) this.#child?.kill("it was idle");
    }, this.#settings.modelIdleSeconds * 1000);
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
