import { type FileHandle, open } from "node:fs/promises";
import { SpeechError } from "../speech-error.ts";

const BYTES_PER_SAMPLE = 2;

/**
 * Samples of a file of signed 16-bit little-endian mono PCM without header, read by ranges: only what is asked for is in
 * memory. Half a sample at the end does not count. Close it.
 */
export class PcmFile {
  readonly sampleCount: number;
  readonly #file: FileHandle;

  static async open(path: string): Promise<PcmFile> {
    const file = await open(path, "r").catch((error) => {
      throw new SpeechError("internal", `the samples cannot be read (${(error as NodeJS.ErrnoException).code})`, error);
    });
    try {
      const { size } = await file.stat();
      return new PcmFile(file, Math.floor(size / BYTES_PER_SAMPLE));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private constructor(file: FileHandle, sampleCount: number) {
    this.#file = file;
    this.sampleCount = sampleCount;
  }

  /**
   * `count` samples from `start` on, scaled to −1…1; fewer at the file's end. They are put `into` what is given, which has
   * room for them, and are the beginning of it: who reads much again and again makes no new memory.
   */
  async read(start: number, count: number, into?: Float32Array): Promise<Float32Array> {
    const available = Math.max(0, Math.min(count, this.sampleCount - start));
    const samples = into ? into.subarray(0, available) : new Float32Array(available);
    // The integers come to the second half of the memory; each is read before a number is written over it.
    const place = samples.byteOffset + available * (Float32Array.BYTES_PER_ELEMENT - BYTES_PER_SAMPLE);
    const integers = new Int16Array(samples.buffer, place, available);
    const bytes = new Uint8Array(samples.buffer, place, available * BYTES_PER_SAMPLE);
    let filled = 0;
    while (filled < bytes.length) {
      const position = start * BYTES_PER_SAMPLE + filled;
      const { bytesRead } = await this.#file.read(bytes, filled, bytes.length - filled, position);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    // The file has become shorter since it was opened: what is gone is silence.
    bytes.fill(0, filled);
    for (let i = 0; i < available; i++) samples[i] = integers[i] / 32768;
    return samples;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
