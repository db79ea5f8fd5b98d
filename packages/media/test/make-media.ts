import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type FfmpegPrograms, findFfmpeg } from "../src/index.ts";

const run = promisify(execFile);

export interface MediaBench {
  readonly programs: FfmpegPrograms;
  readonly folder: string;
  /** Where the cage makes its folders: must be empty after each run. */
  readonly temporaryFolder: string;
  path(name: string): string;
  /** Runs ffmpeg with these arguments (split at spaces) and `name` as its output. */
  make(name: string, args: string): Promise<string>;
  /** So many seconds of silence as MP3, 8 kHz, from one frame over and over: 1 MB for 1,000 s, made at once. */
  silence(name: string, seconds: number): Promise<string>;
  write(name: string, content: Uint8Array | string): Promise<string>;
  /** Folders and processes of the cage that are still there. */
  leftovers(): Promise<string[]>;
  dispose(): Promise<void>;
}

const SILENT_FRAMES = "-f lavfi -i anullsrc=r=8000:cl=mono -t 2 -b:a 8k -id3v2_version 0 -write_xing 0";

export async function openMediaBench(): Promise<MediaBench> {
  const programs = await findFfmpeg({ production: false });
  const folder = await mkdtemp(join(tmpdir(), "scribe-media-"));
  const temporaryFolder = await mkdtemp(join(tmpdir(), "scribe-media-cages-"));
  const path = (name: string) => join(folder, name);
  const make = async (name: string, args: string) => {
    await run(programs.ffmpeg, ["-v", "error", "-nostdin", "-y", ...args.split(" "), path(name)]);
    return path(name);
  };
  return {
    programs,
    folder,
    temporaryFolder,
    path,
    make,
    async silence(name, seconds) {
      const made = await readFile(await make("frames.mp3", SILENT_FRAMES));
      // MPEG 2.5, layer 3, 8 kbit/s at 8 kHz: 72 bytes are 72 ms.
      const frame = made.subarray(72 * 8, 72 * 9);
      await writeFile(path(name), Buffer.alloc(Math.ceil(seconds / 0.072) * 72, frame));
      return path(name);
    },
    async write(name, content) {
      await writeFile(path(name), content);
      return path(name);
    },
    async leftovers() {
      return [...(await readdir(temporaryFolder)), ...(await processesNaming(folder))];
    },
    async dispose() {
      await rm(folder, { recursive: true, force: true });
      await rm(temporaryFolder, { recursive: true, force: true });
    },
  };
}

/** Command lines of living processes that contain `text`. */
async function processesNaming(text: string): Promise<string[]> {
  const { stdout } = await run("ps", ["-eo", "stat=,args="], { maxBuffer: 16 * 1024 * 1024 });
  return stdout.split("\n").filter((line) => line.includes(text) && !line.startsWith("Z"));
}

/** Processes that work in a folder, or below it (Linux): a decoder's only trace, for its arguments name nothing. */
export async function processesIn(folder: string): Promise<string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const places = await Promise.all(ids.map((id) => readlink(`/proc/${id}/cwd`).catch(() => "")));
  return ids.filter((_, index) => places[index]!.startsWith(folder));
}

/** A WAV header in front of `data`; every figure as the test wants it. */
export function wav(data: Uint8Array, { sampleRate = 16_000, channels = 1, declaredBytes = data.length } = {}): Buffer {
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE((declaredBytes + 36) >>> 0, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE((sampleRate * channels * 2) >>> 0, 28);
  header.writeUInt16LE((channels * 2) & 0xffff, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(declaredBytes >>> 0, 40);
  return Buffer.concat([header, data]);
}
