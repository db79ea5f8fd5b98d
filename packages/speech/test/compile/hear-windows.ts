import type { ModelFolder } from "../../src/model/read-model-folder.ts";
import type { SharedModel } from "../../src/runtime/shared-model.ts";
import { chooseBest } from "../../src/whisper/choose-token.ts";
import type { DecodeRequest, RawText, WindowDecoder } from "../../src/whisper/window-decoder.ts";

const never = new AbortController().signal;

/** Features of windows `[8, 20]` that all differ, for the random model. */
export function melsOf(windows: number): Float32Array[] {
  return Array.from({ length: windows }, (_, window) =>
    Float32Array.from({ length: 160 }, (_, i) => Math.sin((window + 1) * i * 0.37) + Math.cos(i * i * 0.011)),
  );
}

export function requestOf({ special, config }: ModelFolder, more: Partial<DecodeRequest> = {}): DecodeRequest {
  return {
    ...{ prompt: [special.startOfTranscript], startPosition: 0, rules: [], endOfText: special.endOfText },
    ...{ inGraph: { suppress: new Float32Array(config.vocab_size) }, choose: () => chooseBest, maximumTokens: 24 },
    ...more,
  };
}

/** What a model says of windows that are decoded at the same time. */
export function hearAll(model: ModelFolder, shared: SharedModel, mels: readonly Float32Array[]): Promise<RawText[]> {
  const lane = shared.lane("a");
  return Promise.all(mels.map((mel) => hearOne(model, lane, mel)));
}

export async function hearOne(model: ModelFolder, lane: WindowDecoder, mel: Float32Array): Promise<RawText> {
  const window = await lane.encode(async () => mel, never);
  try {
    return await lane.decode(window, requestOf(model), never);
  } finally {
    window.release();
  }
}
