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

  /** `count` samples from `start` on, scaled to −1…1; fewer at the file's end. */
  async read(start: number, count: number): Promise<Float32Array> {
    const available = Math.max(0, Math.min(count, this.sampleCount - start));
    const bytes = Buffer.alloc(available * BYTES_PER_SAMPLE);
    let filled = 0;
    while (filled < bytes.length) {
      const position = start * BYTES_PER_SAMPLE + filled;
      const { bytesRead } = await this.#file.read(bytes, filled, bytes.length - filled, position);
      // The file has become shorter since it was opened: what is gone is silence.
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    const samples = new Float32Array(available);
    for (let i = 0; i < available; i++) samples[i] = bytes.readInt16LE(i * BYTES_PER_SAMPLE) / 32768;
    return samples;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
