import { type FileHandle, open } from "node:fs/promises";

export interface SampleReader {
  /** Samples from `from` to `to`, the end not included; fewer where the file ends. */
  read(from: number, to: number): Promise<Int16Array>;
  close(): Promise<void>;
}

/** Random access to decoded audio: signed 16 bit, little endian, one channel. */
export async function openSamples(path: string): Promise<SampleReader> {
  const file: FileHandle = await open(path, "r");
  return {
    async read(from, to) {
      // As the file has them is as every processor that Node runs on has them.
      const samples = new Int16Array(Math.max(0, to - from));
      const bytes = new Uint8Array(samples.buffer);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, from * 2);
      return samples.subarray(0, Math.floor(bytesRead / 2));
    },
    close: () => file.close(),
  };
}
