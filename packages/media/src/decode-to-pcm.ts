import type { CageOptions } from "./cage.ts";

export interface DecodeOptions extends CageOptions {
  /** Longer audio ends the decoding with `audio_too_long`. */
  readonly maxSeconds: number;
  /** Decode this part only, in seconds. `end` may lie beyond the audio's. */
  readonly clip?: { readonly start: number; readonly end?: number };
  /** One channel by its index, or all of them mixed (default). */
  readonly channel?: number | "mix";
  /** Seconds decoded so far, at most ten times a second. */
  readonly onProgress?: (seconds: number) => void;
}

export interface DecodedAudio {
  readonly samples: number;
  readonly durationSeconds: number;
  /** Channels of the source. */
  readonly channels: number;
  /** Written for the user: what is wrong with the file although there is a result. */
  readonly warnings: readonly string[];
}

export const PCM_SAMPLE_RATE = 16_000;

export async function decodeToPcm(_path: string, _outPath: string, _options: DecodeOptions): Promise<DecodedAudio> {
  throw new Error("not built yet");
}
