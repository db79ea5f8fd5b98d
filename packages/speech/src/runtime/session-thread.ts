import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { PcmFile } from "../audio/pcm-file.ts";
import { asSpeechError, SpeechError } from "../speech-error.ts";
import { transcribeSequential } from "../whisper/transcribe-sequential.ts";
import { announceRuns, spaceOut } from "./announce-runs.ts";
import { LoadedModels } from "./loaded-models.ts";
import type { ChildRequest, FromChild, ThreadSettings, ToChild } from "./messages.ts";
import { TakeTurns } from "./take-turns.ts";

/**
 * The thread of the child that computes: sessions live here, and their runs block it. Requests take turns by windows.
 * Nothing may end this thread in the middle of a run: that would abort the process.
 */
function serve(port: MessagePort, settings: ThreadSettings) {
  const post = (message: FromChild) => port.postMessage(message);
  const models = new LoadedModels(
    {
      ...settings,
      onProviderRefused: (provider, reason) =>
        post({ type: "log", entry: { level: "warn", message: "An execution provider was refused", provider, reason } }),
    },
    { idleMs: settings.modelIdleSeconds * 1000, deadlineFloorMs: settings.deadlineFloorMs },
  );
  const turns = new TakeTurns(() => post({ type: "resting" }));
  const controllers = new Map<string, AbortController>();

  async function* transcribe(request: ChildRequest, signal: AbortSignal) {
    const { key, model: folder, pcmPath } = request;
    const announce = spaceOut((operation, deadlineMs) => post({ type: "operation", key, operation, deadlineMs }));
    const held = await models.hold(folder, announce);
    try {
      const pcm = await PcmFile.open(pcmPath);
      try {
        const network = announceRuns(held.network, held.times, announce);
        for await (const event of transcribeSequential({ ...request, model: held.model, network, pcm }, signal)) {
          post({ type: "event", key, event });
          yield;
        }
      } finally {
        await pcm.close();
      }
    } finally {
      held.release();
    }
  }

  port.on("message", (message: ToChild) => {
    if (message.type === "transcribe") {
      const { key } = message.request;
      const controller = new AbortController();
      controllers.set(key, controller);
      turns.add({
        key,
        steps: transcribe(message.request, controller.signal),
        ended(error) {
          controllers.delete(key);
          if (error === undefined) return post({ type: "ended", key });
          const { code, message } = asSpeechError(error);
          post({ type: "ended", key, error: { code, message } });
        },
      });
    } else if (message.type === "cancel") {
      const cancelled = new SpeechError("cancelled", "the request was cancelled");
      if (!turns.drop(message.key, cancelled)) controllers.get(message.key)?.abort(cancelled);
    }
  });
}

if (parentPort) serve(parentPort, workerData as ThreadSettings);
