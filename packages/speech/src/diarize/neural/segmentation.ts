import { type InferenceSession, Tensor } from "onnxruntime-node";
import { freeMemory } from "../../sessions/free-memory.ts";
import { SpeechError } from "../../speech-error.ts";
import type { SampleSource } from "../turns.ts";
import { WINDOW_FRAMES, WINDOW_SAMPLES } from "./frames.ts";
import { decodePowerset, powersetClasses } from "./powerset.ts";

/** Windows of one run: each takes about 20 MB in the published network, and more of them are not faster. */
const AT_ONCE = 4;
const CLASSES = powersetClasses(3, 2).length;

/**
 * Says who of a window's own speakers speaks, for windows of a recording: `[589, 3]` each, in order. Memory does not grow
 * with the recording; a window's samples last until the next four are read. Throws `invalid_model` where the network's output is not of that form.
 */
export async function* segmentWindows(
  session: InferenceSession,
  source: SampleSource,
  starts: readonly number[],
): AsyncGenerator<{ start: number; active: Uint8Array; samples: Float32Array }> {
  const [input] = session.inputNames;
  const [output] = session.outputNames;
  const room = new Float32Array(Math.min(AT_ONCE, starts.length) * WINDOW_SAMPLES);
  for (let from = 0; from < starts.length; from += AT_ONCE) {
    const batch = starts.slice(from, from + AT_ONCE);
    const samples = room.subarray(0, batch.length * WINDOW_SAMPLES).fill(0);
    for (const [i, start] of batch.entries()) {
      await source.read(start, WINDOW_SAMPLES, samples.subarray(i * WINDOW_SAMPLES, (i + 1) * WINDOW_SAMPLES));
    }
    const results = await session.run({ [input]: new Tensor("float32", samples, [batch.length, 1, WINDOW_SAMPLES]) });
    const logits = results[output];
    if (logits.dims.join() !== [batch.length, WINDOW_FRAMES, CLASSES].join()) {
      throw new SpeechError("invalid_model", `the segmentation model answers [${logits.dims}], not [B, 589, 7]`);
    }
    const size = WINDOW_FRAMES * CLASSES;
    for (const [i, start] of batch.entries()) {
      const active = decodePowerset((logits.data as Float32Array).subarray(i * size, (i + 1) * size));
      yield { start, active, samples: samples.subarray(i * WINDOW_SAMPLES, (i + 1) * WINDOW_SAMPLES) };
    }
    freeMemory(logits.data as Float32Array);
  }
}
