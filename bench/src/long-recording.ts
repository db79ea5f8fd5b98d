import { sampleDialogue } from "@scribe/testing";

const SECONDS_BETWEEN = 1;

/** A WAV of `minutes` minutes: the sample over and over, with a pause between. Expects 16-bit mono, as the sample is. */
export function longRecording(minutes: number): { bytes: Uint8Array<ArrayBuffer>; seconds: number } {
  const { bytes } = sampleDialogue();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sampleRate = view.getUint32(24, true);
  const pcm = bytes.subarray(findData(view));
  const step = pcm.byteLength + SECONDS_BETWEEN * sampleRate * 2;
  const dataBytes = Math.round(minutes * 60 * sampleRate) * 2;
  const file = new Uint8Array(44 + dataBytes);
  file.set(bytes.subarray(0, 36));
  const header = new DataView(file.buffer);
  header.setUint32(4, 36 + dataBytes, true);
  header.setUint32(16, 16, true);
  file.set(new TextEncoder().encode("data"), 36);
  header.setUint32(40, dataBytes, true);
  for (let at = 0; at < dataBytes; at += step) file.set(pcm.subarray(0, dataBytes - at), 44 + at);
  return { bytes: file, seconds: minutes * 60 };
}

/** Where the samples begin: after the header of the chunk `data`, which others may precede. */
function findData(view: DataView): number {
  for (let at = 12; at + 8 <= view.byteLength; at += 8 + view.getUint32(at + 4, true)) {
    if (view.getUint32(at, false) === 0x64617461) return at + 8;
  }
  throw new Error("The sample has no data chunk.");
}
