// Node's zlib is Chromium's, which compresses short texts less well than the zlib whose ratios the thresholds were chosen for.
import { deflate } from "pako";

/** Bytes of a text over those of its zlib compression: texts that repeat themselves compress well. 0 for no text. */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text, "utf8");
  return bytes.length / deflate(bytes).length;
}
