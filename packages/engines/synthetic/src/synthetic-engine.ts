import { setTimeout as delay } from "node:timers/promises";
import { type Engine, type EngineEvent, type EngineRequest, JobError } from "@scribe/domain";
import { z } from "zod";
import { readScript, type SyntheticScript } from "./script.ts";
import { writeWindow } from "./write-window.ts";

const stateSchema = z.object({ nextWindow: z.int().min(0) });

/** Beyond the pace itself, how long a window may be silent before the engine counts as hung. */
const SLACK_MS = 10_000;

/**
 * An engine that plays a script instead of listening: windows at a set pace, failures and deaths where the script
 * wants them. Its jobs share one imagined process, so a death takes all of them along, as with a real one.
 */
export function createSyntheticEngine(): Engine {
  const running = new Map<EngineRequest, AbortController>();
  const failures = new Map<string, number>();
  let closed = false;

  function die(): void {
    const jobsHeld = running.size;
    for (const death of running.values()) {
      const error = new JobError("worker_crashed", "The transcription process died.", { retryable: true });
      death.abort(Object.assign(error, { childDeath: true, jobsHeld }));
    }
  }

  function failIfScripted(script: SyntheticScript, jobId: string, index: number): void {
    if (script.fail_at !== index) return;
    const soFar = failures.get(jobId) ?? 0;
    if (script.fail_times !== undefined && soFar >= script.fail_times) {
      failures.delete(jobId);
      return;
    }
    if (script.fail_times !== undefined) failures.set(jobId, soFar + 1);
    throw new JobError(script.error_code, `The rehearsal's script fails at window ${index}.`);
  }

  async function* play(request: EngineRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const script = readScript(request.metadata);
    const windows = script.windows ?? Math.ceil(request.audio.durationSeconds / script.window_seconds);
    const totalSeconds = script.windows === undefined ? request.audio.durationSeconds : windows * script.window_seconds;
    const fingerprint = fingerprintOf(script, windows, request);
    let first = 0;
    if (request.resume) {
      const state = stateSchema.safeParse(request.resume.state);
      if (request.resume.fingerprint === fingerprint && state.success) first = state.data.nextWindow;
      else yield { type: "restart" };
    }
    yield { type: "language", language: script.language, probability: 1 };
    for (let index = first; index < windows; index++) {
      signal.throwIfAborted();
      failIfScripted(script, request.jobId, index);
      if (script.crash_at === index) die();
      yield { type: "operation", operation: "window", deadlineMs: script.delay_ms + SLACK_MS };
      if (script.delay_ms > 0) await pause(script.delay_ms, signal);
      signal.throwIfAborted();
      const processedSeconds = Math.min(totalSeconds, (index + 1) * script.window_seconds);
      yield {
        type: "window",
        segments: writeWindow(script, index, totalSeconds, request.options.word_timestamps ?? true),
        processedSeconds,
        totalSeconds,
        checkpoint: { fingerprint, processedSeconds, state: { nextWindow: index + 1 } },
      };
    }
    yield { type: "done", language: script.language, languageProbability: 1, wordsMethod: "synthetic" };
  }

  async function* transcribe(request: EngineRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    if (closed) throw new Error("The engine is closed.");
    const death = new AbortController();
    running.set(request, death);
    try {
      yield* play(request, AbortSignal.any([signal, death.signal]));
    } finally {
      running.delete(request);
    }
  }

  return {
    name: "synthetic",
    loadedModels: () => ["synthetic"],
    // What it plays is in the script, and that is part of the job.
    identityOf: async () => "synthetic",
    transcribe,
    close: async () => {
      closed = true;
      for (const death of running.values()) death.abort(new Error("The engine is closed."));
    },
  };
}

/** What shapes the text; pace and faults do not, so an attempt may go on under a script that differs in those. */
function fingerprintOf({ text, window_seconds, language }: SyntheticScript, windows: number, request: EngineRequest) {
  return JSON.stringify(["synthetic", 1, text, window_seconds, language, windows, request.options]);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}
