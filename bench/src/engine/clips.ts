import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A recording of a few seconds, 16 kHz mono, and what is said in it. */
export interface Clip {
  file: string;
  text: string;
  samples: Int16Array;
}

const RATE = 16_000;

/** The clips of a folder of test audio (`SCRIBE_TEST_AUDIO`) by its `refs.tsv`. */
export function readClips(folder: "english" | "synthesized"): Clip[] {
  const root = join(testAudio(), folder);
  const lines = readFileSync(join(root, "refs.tsv"), "utf8").trim().split("\n");
  return lines.map((line) => {
    const [file, text] = line.split("\t");
    return { file: file!, text: text!, samples: decodeFile(join(root, file!)) };
  });
}

function testAudio(): string {
  return needFolder("SCRIBE_TEST_AUDIO", "recordings with references");
}

/** The folder of models beside `goldens` (`SCRIBE_TEST_MODELS`). */
export function testModels(): string {
  return needFolder("SCRIBE_TEST_MODELS", "models and what another implementation computes with them");
}

function needFolder(variable: string, what: string): string {
  const folder = process.env[variable] ?? "";
  if (folder === "" || !existsSync(folder)) throw new Error(`Set ${variable} to the folder of ${what}.`);
  return folder;
}

function decodeFile(path: string): Int16Array {
  const args = ["-v", "error", "-i", path, "-ac", "1", "-ar", String(RATE), "-f", "s16le", "-"];
  const bytes = execFileSync("ffmpeg", args, { maxBuffer: 1 << 30 });
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~1)));
}

/**
 * Clips one after the other, over and over until `seconds` are full, with gaps of 0.2 s to `longestGap`; the same every
 * time.
 */
export function joinClips(
  clips: readonly Clip[],
  seconds: number,
  longestGap = 3,
): { samples: Int16Array; text: string } {
  const samples = new Int16Array(seconds * RATE);
  const texts: string[] = [];
  let state = 7;
  let at = RATE / 2;
  for (let i = 0; ; i++) {
    const clip = clips[i % clips.length]!;
    if (at + clip.samples.length > samples.length) break;
    samples.set(clip.samples, at);
    texts.push(clip.text);
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    at += clip.samples.length + Math.round((0.2 + ((longestGap - 0.2) * state) / 0x7fff_ffff) * RATE);
  }
  return { samples, text: texts.join(" ") };
}

/** Samples as floats between −1 and 1. */
export function toFloats(samples: Int16Array): Float32Array {
  return Float32Array.from(samples, (sample) => sample / 32_768);
}

/** A WAV file of 16 kHz mono samples. */
export function toWav(samples: Int16Array): Buffer {
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + samples.byteLength, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
}
