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
      const bytes = Buffer.alloc(Math.max(0, to - from) * 2);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, from * 2);
      const samples = new Int16Array(Math.floor(bytesRead / 2));
      for (let i = 0; i < samples.length; i += 1) samples[i] = bytes.readInt16LE(i * 2);
      return samples;
    },
    close: () => file.close(),
  };
}
