import { flushCompileCache } from "node:module";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { PcmFile } from "../audio/pcm-file.ts";
import { asSpeechError, SpeechError } from "../speech-error.ts";
import { hearsAsReference } from "../speech-options.ts";
import { SpeechDetector } from "../vad/speech-detector.ts";
import { transcribePacked } from "../whisper/transcribe-packed.ts";
import { transcribeSequential } from "../whisper/transcribe-sequential.ts";
import { announceTo } from "./announce-runs.ts";
import { countOccupancy } from "./count-occupancy.ts";
import { LoadedModels } from "./loaded-models.ts";
import type { ChildRequest, FromChild, ThreadSettings, ToChild } from "./messages.ts";

/**
 * The thread of the child that computes: sessions live here, and their runs block it. Requests that use a model share its
 * batches. Nothing may end this thread in the middle of a run: that would abort the process.
 */
function serve(port: MessagePort, settings: ThreadSettings) {
  const post = (message: FromChild) => port.postMessage(message);
  const announce = announceTo((operation, deadlineMs, key) => post({ type: "operation", key, operation, deadlineMs }));
  const occupancy = countOccupancy((shares) => post({ type: "runs", occupancy: shares }));
  const models = new LoadedModels(
    {
      ...settings,
      onFallback: (fallback) => post({ type: "fallback", fallback }),
      onOtherwise: (reason) =>
        post({ type: "log", entry: { level: "warn", message: "A model runs otherwise than asked", reason } }),
    },
    {
      idleMs: settings.modelIdleSeconds * 1000,
      deadlineFloorMs: settings.deadlineFloorMs,
      memoryBytes: settings.modelMemoryBytes,
    },
    {
      announce,
      onRun: occupancy.count,
      onNarrowed: (rows, reason) =>
        post({
          type: "log",
          entry: { level: "warn", message: "Memory ran out; fewer windows share a run", rows, reason },
        }),
      onLoaded: (loaded) => {
        // This process is always killed: what Node compiled for it would never be kept.
        flushCompileCache();
        post({ type: "log", entry: { level: "info", message: "A model was loaded", ...loaded } });
      },
      onUnloaded: () => post({ type: "unloaded" }),
    },
  );
  const controllers = new Map<string, AbortController>();
  let detector: Promise<SpeechDetector> | undefined;

  async function transcribe(request: ChildRequest, signal: AbortSignal) {
    const { key, model: folder, pcmPath, options } = request;
    const held = await models.hold(folder, key, signal);
    try {
      signal.throwIfAborted();
      const pcm = await PcmFile.open(pcmPath);
      try {
        const { model, shared, features, computation } = held;
        let told = computation();
        post({ type: "event", key, event: { type: "model", computation: told } });
        // Another computation's words would not go on as they began.
        const resume = request.resume?.computation === told ? request.resume : undefined;
        if (request.resume && !resume) post({ type: "event", key, event: { type: "restart" } });
        const parts = { ...request, resume, model, decoder: shared.lane(key, request.standing), pcm, features };
        async function* speechProbabilities(from: number, to: number, stop: AbortSignal) {
          detector ??= SpeechDetector.open();
          let ended = () => {};
          const running = async () => {
            ended();
            ended = announce("find speech", settings.deadlineFloorMs, key);
            await nextTurn();
          };
          try {
            yield* (await detector).blocks(pcm, from, to, stop, running);
          } finally {
            ended();
          }
        }
        const events = hearsAsReference(options)
          ? transcribeSequential(parts, signal)
          : transcribePacked({ ...parts, speechProbabilities, inContext: options.mode === "sequential" }, signal);
        for await (const event of events) {
          // A provider may fail on the way: what follows is computed otherwise.
          if (computation() !== told) {
            told = computation();
            post({ type: "event", key, event: { type: "model", computation: told } });
          }
          if (event.type === "window") event.checkpoint.computation = told;
          post({ type: "event", key, event });
        }
      } finally {
        await pcm.close();
      }
    } finally {
      held.release();
    }
  }

  async function preload(key: string, folder: string, signal: AbortSignal) {
    const held = await models.hold(folder, key, signal);
    post({ type: "event", key, event: { type: "model", computation: held.computation() } });
    held.release();
  }

  async function run(key: string, work: (signal: AbortSignal) => Promise<void>) {
    const controller = new AbortController();
    controllers.set(key, controller);
    try {
      await work(controller.signal);
      post({ type: "ended", key });
    } catch (error) {
      const { code, message } = asSpeechError(error);
      post({ type: "ended", key, error: { code, message } });
    }
    controllers.delete(key);
    if (controllers.size > 0) return;
    occupancy.tell();
    post({ type: "resting" });
  }

  port.on("message", (message: ToChild) => {
    if (message.type === "transcribe") {
      const { request } = message;
      void run(request.key, (signal) => transcribe(request, signal));
    } else if (message.type === "preload") {
      const { key, model } = message;
      void run(key, (signal) => preload(key, model, signal));
    } else if (message.type === "cancel") {
      controllers.get(message.key)?.abort(new SpeechError("cancelled", "the request was cancelled"));
    }
  });
}

if (parentPort) serve(parentPort, workerData as ThreadSettings);
