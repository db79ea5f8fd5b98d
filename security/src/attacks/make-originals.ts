import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { FfmpegPrograms } from "@scribe/media";

const run = promisify(execFile);

/** Name → how ffmpeg makes it of half a second of tone. */
const FORMATS: Record<string, string> = {
  "a.wav": "-c:a pcm_s16le",
  "a.mp3": "-c:a libmp3lame -b:a 32k",
  "a.flac": "-c:a flac",
  "a.ogg": "-c:a libvorbis",
  "a.opus": "-c:a libopus -b:a 16k",
  "a.webm": "-c:a libopus -b:a 16k",
  "a.m4a": "-c:a aac -b:a 32k",
  "a.mp4": "-c:a aac -b:a 32k -movflags faststart",
  "a.aac": "-c:a aac -b:a 32k -f adts",
  "a.aiff": "-c:a pcm_s16be",
  "a.mkv": "-c:a flac",
  "a.ts": "-c:a mp2 -f mpegts",
};

/** A whole file of each format, by name. */
export async function makeOriginals({ ffmpeg }: FfmpegPrograms): Promise<Map<string, Buffer>> {
  const folder = await mkdtemp(join(tmpdir(), "scribe-originals-"));
  const made = new Map<string, Buffer>();
  try {
    for (const [name, how] of Object.entries(FORMATS)) {
      const path = join(folder, name);
      const source = "-v error -nostdin -y -f lavfi -i sine=frequency=440:sample_rate=16000:duration=0.5".split(" ");
      await run(ffmpeg, [...source, ...how.split(" "), path]);
      made.set(name, await readFile(path));
    }
    return made;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
