import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { PcmFile } from "../src/audio/pcm-file.ts";

const folder = mkdtempSync(join(tmpdir(), "pcm-"));
afterAll(() => rmSync(folder, { recursive: true }));

const numbers = [0, 1, -1, 32_767, -32_768, 256, -257];
function write(name: string): string {
  const path = join(folder, name);
  // Half a sample at the end.
  writeFileSync(path, Buffer.concat([new Uint8Array(Int16Array.from(numbers).buffer), Buffer.of(1)]));
  return path;
}
const scaled = (values: number[]) => Float32Array.from(values, (value) => value / 32_768);

test("samples are read by ranges, to the file's end", async () => {
  const pcm = await PcmFile.open(write("whole.pcm"));
  expect(pcm.sampleCount).toBe(7);
  expect(await pcm.read(0, 7)).toEqual(scaled(numbers));
  expect(await pcm.read(2, 3)).toEqual(scaled(numbers.slice(2, 5)));
  expect(await pcm.read(5, 100)).toEqual(scaled(numbers.slice(5)));
  expect(await pcm.read(9, 4)).toHaveLength(0);
  await pcm.close();
});

test("samples are read into what is there, and nothing behind them is touched", async () => {
  const pcm = await PcmFile.open(write("into.pcm"));
  const room = new Float32Array(9).fill(5);
  const found = await pcm.read(1, 3, room.subarray(2, 8));
  expect(found).toEqual(scaled(numbers.slice(1, 4)));
  expect(room).toEqual(Float32Array.of(5, 5, ...found, 5, 5, 5, 5));
  await pcm.close();
});

test("what a file has lost since it was opened is silence", async () => {
  const path = write("shorter.pcm");
  const pcm = await PcmFile.open(path);
  truncateSync(path, 4);
  expect(await pcm.read(0, 4, new Float32Array(4).fill(1))).toEqual(scaled([0, 1, 0, 0]));
  await pcm.close();
});

test("a file that is not there is told", async () => {
  await expect(PcmFile.open(join(folder, "none"))).rejects.toMatchObject({ code: "internal" });
});
