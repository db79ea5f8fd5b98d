import { open } from "node:fs/promises";
import { LEVEL_FRAME_SAMPLES } from "./measure-channels.ts";

const BLOCK_FRAMES = 500;
/** Muting begins and ends over so many samples, within the frame: no click. */
const FADE_SAMPLES = 80;

/**
 * Writes silence over the frames of a file of 16-bit PCM that `muted` names (1 for each 20 ms), in place, ten seconds in
 * memory at once. Throws the signal's reason.
 */
export async function muteFrames(path: string, muted: Uint8Array, signal: AbortSignal): Promise<void> {
  if (!muted.includes(1)) return;
  const file = await open(path, "r+");
  try {
    for (let first = 0; first < muted.length; first += BLOCK_FRAMES) {
      signal.throwIfAborted();
      const end = Math.min(muted.length, first + BLOCK_FRAMES);
      if (!muted.subarray(first, end).includes(1)) continue;
      const samples = new Int16Array((end - first) * LEVEL_FRAME_SAMPLES);
      const bytes = new Uint8Array(samples.buffer);
      const at = first * LEVEL_FRAME_SAMPLES * 2;
      const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
      for (let f = first; f < end; f++) {
        if (!muted[f]) continue;
        const from = (f - first) * LEVEL_FRAME_SAMPLES;
        fadeOut(samples.subarray(from, from + LEVEL_FRAME_SAMPLES), !muted[f - 1], !muted[f + 1]);
      }
      await file.write(bytes, 0, bytesRead, at);
    }
  } finally {
    await file.close();
  }
}

function fadeOut(frame: Int16Array, begins: boolean, ends: boolean): void {
  for (let i = 0; i < frame.length; i++) {
    const left = begins ? Math.max(0, 1 - (i + 1) / FADE_SAMPLES) : 0;
    const right = ends ? Math.max(0, 1 - (frame.length - i) / FADE_SAMPLES) : 0;
    frame[i] = Math.round(frame[i]! * Math.max(left, right));
  }
}
