import type { EncodedWindow, WindowDecoder } from "../window-decoder.ts";
import type { Align } from "./find-alignment.ts";

/** How the words of an encoded window are found; undefined where the model does not show where it listens. */
export function alignerOf(decoder: WindowDecoder, window: EncodedWindow, signal: AbortSignal): Align | undefined {
  if (!decoder.canAlign) return undefined;
  return (tokens, heads, textVocabulary) => decoder.align(window, tokens, heads, textVocabulary, signal);
}
