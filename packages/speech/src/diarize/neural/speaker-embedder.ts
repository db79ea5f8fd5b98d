import { readFile } from "node:fs/promises";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { freeMemory } from "../../sessions/free-memory.ts";
import { SpeechError } from "../../speech-error.ts";
import { KaldiFilterbank, removeMean } from "../features/kaldi-filterbank.ts";
import { cutAtPooling, STATISTICS_INPUT, TRUNK_OUTPUT } from "./cut-at-pooling.ts";
import { poolStatistics, resampleMask } from "./pool-statistics.ts";
import { WindowFeatures } from "./window-features.ts";
import { openTrunk } from "./winograd/open-trunk.ts";

const BINS = 80;
/** Runs of a trunk that win what rewriting it costs: 0.3 s for 0.03 to 0.05 s each. */
const WORTH_PREPARING = 10;

/** What a network's trunk says over time: `values [channels, frames]`. */
export type Trunk = { values: Float32Array; channels: number; frames: number };

/** An embedding network cut at its pooling, so that a window's speakers share one run of its trunk. Close it. */
export class SpeakerEmbedder {
  readonly #trunk: InferenceSession;
  readonly #head: InferenceSession;
  readonly #features = new WindowFeatures(new KaldiFilterbank({ bins: BINS, lowHertz: 20, highHertz: 8000 }));

  /** Opens an ONNX file for about so many `runs` of its trunk. Throws `model_unavailable`, `invalid_model`. */
  static async open(path: string, options: InferenceSession.SessionOptions, runs: number): Promise<SpeakerEmbedder> {
    const bytes = await readFile(path).catch((error) => {
      throw new SpeechError("model_unavailable", "the embedding model cannot be read", error);
    });
    const { trunk, head } = cutAtPooling(bytes);
    freeMemory(bytes);
    const worthwhile = options.executionProviders?.[0] === "cpu" && runs >= WORTH_PREPARING;
    const session = worthwhile ? await openTrunk(trunk, BINS, options) : await InferenceSession.create(trunk, options);
    freeMemory(trunk);
    return new SpeakerEmbedder(session, await InferenceSession.create(head, options));
  }

  private constructor(trunk: InferenceSession, head: InferenceSession) {
    this.#trunk = trunk;
    this.#head = head;
  }

  /** Runs the trunk over the samples, in −1…1, from `start` of the recording on; features lose their mean over all of them. */
  async listen(start: number, samples: Float32Array): Promise<Trunk> {
    const features = removeMean(this.#features.of(start, samples), BINS);
    const input = new Tensor("float32", features, [1, features.length / BINS, BINS]);
    const { [TRUNK_OUTPUT]: trunk } = await this.#trunk.run({ [this.#trunk.inputNames[0]]: input });
    const frames = trunk.dims.at(-1)!;
    const values = trunk.data as Float32Array;
    return { values, frames, channels: values.length / frames };
  }

  /** The embedding of those frames that `mask` (of any number of frames over the same time) tells; null for too few. */
  async embed({ values, channels, frames }: Trunk, mask: ArrayLike<number>): Promise<Float32Array | null> {
    const statistics = poolStatistics(values, channels, resampleMask(mask, frames));
    if (!statistics) return null;
    const input = new Tensor("float32", statistics, [1, statistics.length]);
    const results = await this.#head.run({ [STATISTICS_INPUT]: input });
    return Float32Array.from(results[this.#head.outputNames[0]].data as Float32Array);
  }

  async close(): Promise<void> {
    await this.#trunk.release();
    await this.#head.release();
  }
}
