import { setImmediate as nextTurn } from "node:timers/promises";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { PcmFile } from "../audio/pcm-file.ts";
import { asSpeechError, SpeechError } from "../speech-error.ts";
import { SpeechDetector } from "../vad/speech-detector.ts";
import { transcribePacked } from "../whisper/transcribe-packed.ts";
import { transcribeSequential } from "../whisper/transcribe-sequential.ts";
import { spaceOut } from "./announce-runs.ts";
import { LoadedModels } from "./loaded-models.ts";
import type { ChildRequest, FromChild, ThreadSettings, ToChild } from "./messages.ts";

/**
 * The thread of the child that computes: sessions live here, and their runs block it. Requests that use a model share its
 * batches. Nothing may end this thread in the middle of a run: that would abort the process.
 */
function serve(port: MessagePort, settings: ThreadSettings) {
  const post = (message: FromChild) => port.postMessage(message);
  const announce = spaceOut((operation, deadlineMs, key) => post({ type: "operation", key, operation, deadlineMs }));
  const models = new LoadedModels(
    {
      ...settings,
      onProviderRefused: (provider, reason) =>
        post({ type: "log", entry: { level: "warn", message: "An execution provider was refused", provider, reason } }),
      onCompileRefused: (reason) =>
        post({
          type: "log",
          entry: { level: "warn", message: "Weights were not compiled; the export is used", reason },
        }),
    },
    { idleMs: settings.modelIdleSeconds * 1000, deadlineFloorMs: settings.deadlineFloorMs },
    announce,
  );
  const controllers = new Map<string, AbortController>();
  let detector: Promise<SpeechDetector> | undefined;

  async function transcribe(request: ChildRequest, signal: AbortSignal) {
    const { key, model: folder, pcmPath, options } = request;
    const held = await models.hold(folder, key);
    try {
      signal.throwIfAborted();
      const pcm = await PcmFile.open(pcmPath);
      try {
        const { model, shared, features } = held;
        const parts = { ...request, model, decoder: shared.lane(key), pcm, features };
        const speechProbabilities = async (from: number, to: number) => {
          detector ??= SpeechDetector.open();
          return (await detector).probabilities(pcm, from, to, signal, async () => {
            announce("find speech", settings.deadlineFloorMs, key);
            await nextTurn();
          });
        };
        const events =
          options.mode === "sequential" || (options.mode === undefined && options.vad === false)
            ? transcribeSequential(parts, signal)
            : transcribePacked({ ...parts, speechProbabilities }, signal);
        for await (const event of events) post({ type: "event", key, event });
      } finally {
        await pcm.close();
      }
    } finally {
      held.release();
    }
  }

  async function run(request: ChildRequest) {
    const { key } = request;
    const controller = new AbortController();
    controllers.set(key, controller);
    try {
      await transcribe(request, controller.signal);
      post({ type: "ended", key });
    } catch (error) {
      const { code, message } = asSpeechError(error);
      post({ type: "ended", key, error: { code, message } });
    }
    controllers.delete(key);
    if (controllers.size === 0) post({ type: "resting" });
  }

  port.on("message", (message: ToChild) => {
    if (message.type === "transcribe") void run(message.request);
    else if (message.type === "cancel") {
      controllers.get(message.key)?.abort(new SpeechError("cancelled", "the request was cancelled"));
    }
  });
}

if (parentPort) serve(parentPort, workerData as ThreadSettings);
