import { spawnSync } from "node:child_process";
import type { Stage } from "./stage.ts";

const SECONDS = 3600;

/** Sixty minutes of speech: the sample again and again, as a FLAC that fits any client's limits. */
export function hourOfSpeech({ sample }: Stage): Uint8Array<ArrayBuffer> {
  const pcm = sample.bytes.subarray(44);
  const times = Math.ceil((SECONDS * 32_000) / pcm.length);
  const { stdout, status, stderr } = spawnSync(
    "ffmpeg",
    ["-loglevel", "error", "-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "-", "-f", "flac", "-"],
    { input: Buffer.concat(Array(times).fill(pcm)).subarray(0, SECONDS * 32_000), maxBuffer: 2 ** 28 },
  );
  if (status !== 0) throw new Error(`ffmpeg could not make the recording: ${stderr}`);
  return new Uint8Array(stdout);
}
