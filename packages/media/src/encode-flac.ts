import { JobError } from "@scribe/domain";
import { CAGED_INPUT, type CageOptions, runCaged } from "./cage.ts";
import { PCM_SAMPLE_RATE } from "./decode-to-pcm.ts";

/** A part of decoded audio, in samples; the end is not in it. */
export interface SampleRange {
  readonly from: number;
  readonly to: number;
}

const BYTES_PER_SAMPLE = 2;

/** Marker, block header, then STREAMINFO; its 36 bits of length begin in the low half of this byte. */
const LENGTH_AT = 4 + 4 + 13;

/**
 * Writes a part of decoded audio (16 kHz, mono, s16le) as FLAC: every sample as it was, in half the bytes. Pieces are
 * given to `onOutput` as they come, and the encoder waits for it. The header says how long it is, although it is
 * written before the end is known.
 *
 * @throws JobError `internal`, `timeout`; the signal's reason
 */
export async function encodeFlac(
  pcmPath: string,
  { from, to }: SampleRange,
  options: CageOptions,
  onOutput: (chunk: Buffer) => void | Promise<void>,
): Promise<void> {
  const raw = ["-f", "s16le", "-ar", String(PCM_SAMPLE_RATE), "-ac", "1"];
  // Bytes are skipped, not times: a part begins at the very sample.
  const skip = ["-skip_initial_bytes", String(from * BYTES_PER_SAMPLE)];
  const read = ["-hide_banner", "-nostdin", "-v", "error", "-threads", "1", ...skip, ...raw, "-i", CAGED_INPUT];
  const cut = ["-af", `atrim=end_sample=${to - from}`];
  const write = ["-map_metadata", "-1", "-c:a", "flac", "-f", "flac", "pipe:1"];
  let begun = false;
  const run = await runCaged("ffmpeg", pcmPath, [...read, ...cut, ...write], options, async (chunk) => {
    if (!begun) writeLength(chunk, to - from);
    begun = true;
    await onOutput(chunk);
  });
  if (run.exitCode !== 0) {
    throw new JobError("internal", "The audio could not be encoded.", { cause: new Error(run.stderr) });
  }
}

function writeLength(head: Buffer, samples: number): void {
  if (head.length < LENGTH_AT + 5 || head.toString("latin1", 0, 4) !== "fLaC") return;
  head[LENGTH_AT] = (head[LENGTH_AT]! & 0xf0) | (Math.floor(samples / 2 ** 32) & 0x0f);
  head.writeUInt32BE(samples % 2 ** 32, LENGTH_AT + 1);
}
