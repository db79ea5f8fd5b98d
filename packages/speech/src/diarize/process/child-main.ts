import { asSpeechError } from "../../speech-error.ts";
import type { DiarizationMessage, DiarizationRequest } from "./diarization.ts";
import { diarizeRecording } from "./diarize-recording.ts";

/** A process for one recording: it computes on its main thread, for its parent may kill it at any time. */
function main() {
  const send = (message: DiarizationMessage) =>
    new Promise<void>((done) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => done());
      else done();
    });
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  // A terminal's ^C goes to the whole group; the parent decides when this process ends.
  process.on("SIGINT", () => {});
  process.once("message", async (request: DiarizationRequest) => {
    try {
      const diarization = await diarizeRecording(request, (share) => void send({ type: "progress", share }));
      await send({ type: "done", diarization, peakMemoryBytes: process.resourceUsage().maxRSS * 1024 });
    } catch (error) {
      const { code, message } = asSpeechError(error);
      await send({ type: "failed", code, message });
    }
  });
}

main();
