import { dirname } from "node:path";
import { env, pipeline, WhisperFeatureExtractor } from "@huggingface/transformers";
import { THREADS } from "./open-compiled.ts";

/** Weights as transformers.js names them. */
export type TheirType = "fp32" | "q8";

export interface TransformersJs {
  /** Text of a recording of any length, window after window of 30 seconds. */
  transcribe(samples: Float32Array, timestamps?: boolean): Promise<string>;
  /** Token ids that the model generates for one window, without its prompt. */
  generate(samples: Float32Array, timestamps: boolean): Promise<number[]>;
  close(): Promise<void>;
}

/** Opens the ONNX exports of a model's folder with transformers.js. */
export async function openTransformersJs(folder: string, type: TheirType): Promise<TransformersJs> {
  env.allowRemoteModels = false;
  env.localModelPath = dirname(folder);
  const name = folder.slice(env.localModelPath.length + 1);
  const recognise = await pipeline("automatic-speech-recognition", name, {
    dtype: type,
    device: "cpu",
    session_options: { intraOpNumThreads: THREADS, interOpNumThreads: 1 },
  });
  // biome-ignore lint/suspicious/noExplicitAny: its types do not know what a Whisper's generation takes and gives
  const { model, processor } = recognise as any;
  return {
    async transcribe(samples, timestamps = false) {
      const said = await recognise(samples, { chunk_length_s: 30, return_timestamps: timestamps });
      return Array.isArray(said) ? said.map(({ text }) => text).join(" ") : said.text;
    },
    async generate(samples, timestamps) {
      const inputs = await processor(samples);
      const ids = await model.generate({ ...inputs, return_timestamps: timestamps, max_new_tokens: 224 });
      return Array.from(ids.data as BigInt64Array, Number);
    },
    close: async () => {
      await recognise.dispose();
    },
  };
}

/** Its own log-mel features. */
export function theirFeatures(): (samples: Float32Array) => Promise<Float32Array> {
  const settings = { feature_size: 80, sampling_rate: 16_000, hop_length: 160, chunk_length: 30, n_fft: 400 };
  const extract = new WhisperFeatureExtractor({ ...settings, n_samples: 480_000, nb_max_frames: 3000 });
  return async (samples) => (await extract._call(samples)).input_features.data as Float32Array;
}
