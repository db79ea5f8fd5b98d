import { InferenceSession, Tensor } from "onnxruntime-node";
import type { PcmFile } from "../audio/pcm-file.ts";
import { freeMemory } from "../sessions/free-memory.ts";
import { buildSileroGraph, CONTEXT_SAMPLES, FRAMES, MEMORY, WINDOW_SAMPLES, writeFrames } from "./silero-graph.ts";

const FRAME_NUMBERS = 256;
/** Windows of one run: about 16 seconds of audio, some megabytes. */
const WINDOWS_PER_RUN = 500;

/** Says how probable speech is in each window of 512 samples (32 ms) of a file, by Silero's network. Close it. */
export class SpeechDetector {
  readonly #session: InferenceSession;

  static async open(intraOpThreads = 1): Promise<SpeechDetector> {
    const session = await InferenceSession.create(await buildSileroGraph(), {
      executionProviders: ["cpu"],
      intraOpNumThreads: intraOpThreads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    return new SpeechDetector(session);
  }

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  /** All that `blocks` gives, one behind the other. */
  async probabilities(
    pcm: Pick<PcmFile, "read">,
    from: number,
    to: number,
    signal: AbortSignal,
    running?: () => Promise<void> | void,
  ): Promise<Float32Array> {
    const probabilities = new Float32Array(windowsBetween(from, to));
    let done = 0;
    for await (const block of this.blocks(pcm, from, to, signal, running)) {
      probabilities.set(block, done);
      done += block.length;
    }
    return probabilities;
  }

  /**
   * Probabilities of the windows from sample `from` up to `to`, the last one filled up with zeros; so many at once as one
   * run takes, which last until the next. Reads the file in blocks: what is in memory does not grow with it. `running` is
   * awaited before each run.
   */
  async *blocks(
    pcm: Pick<PcmFile, "read">,
    from: number,
    to: number,
    signal: AbortSignal,
    running: () => Promise<void> | void = () => {},
  ): AsyncGenerator<Float32Array, void, undefined> {
    const count = windowsBetween(from, to);
    let hidden: Tensor = new Tensor("float32", new Float32Array(MEMORY), [1, 1, MEMORY]);
    let cell: Tensor = new Tensor("float32", new Float32Array(MEMORY), [1, 1, MEMORY]);
    const samples = new Float32Array(CONTEXT_SAMPLES + WINDOWS_PER_RUN * WINDOW_SAMPLES);
    const frames = new Float32Array(WINDOWS_PER_RUN * FRAMES * FRAME_NUMBERS);
    for (let done = 0; done < count; done += WINDOWS_PER_RUN) {
      signal.throwIfAborted();
      const windows = Math.min(WINDOWS_PER_RUN, count - done);
      const start = from + done * WINDOW_SAMPLES;
      // What the block before ended with is this one's context; before the beginning there was nothing.
      samples.copyWithin(0, WINDOWS_PER_RUN * WINDOW_SAMPLES);
      samples.fill(0, CONTEXT_SAMPLES);
      const room = samples.subarray(CONTEXT_SAMPLES);
      finite(await pcm.read(start, Math.min(windows * WINDOW_SAMPLES, to - start), room));
      for (let i = 0; i < windows; i++) {
        writeFrames(samples, CONTEXT_SAMPLES + i * WINDOW_SAMPLES, frames, i * FRAMES * FRAME_NUMBERS);
      }
      await running();
      const rows = windows * FRAMES;
      const feeds = {
        frames: new Tensor("float32", frames.subarray(0, rows * FRAME_NUMBERS), [rows, FRAME_NUMBERS]),
        hidden,
        cell,
      };
      const output = await this.#session.run(feeds);
      const found = output.probabilities.data as Float32Array;
      hidden = output.next_hidden as Tensor;
      cell = output.next_cell as Tensor;
      yield found;
      freeMemory(found);
    }
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

const windowsBetween = (from: number, to: number) => Math.max(0, Math.ceil((to - from) / WINDOW_SAMPLES));

/** The recurrent layer would never forget a sample that is no number. */
function finite(samples: Float32Array): Float32Array {
  for (let i = 0; i < samples.length; i++) if (samples[i] - samples[i] !== 0) samples[i] = 0;
  return samples;
}
