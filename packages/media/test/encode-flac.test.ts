import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { decodeToPcm, encodeFlac, probeMedia } from "../src/index.ts";
import { type MediaBench, openMediaBench } from "./make-media.ts";

let bench: MediaBench;
beforeAll(async () => {
  bench = await openMediaBench();
});
afterAll(() => bench.dispose());

/** Noise, which no coder makes small: as far as lossless can be seen. */
async function record(samples: number): Promise<Buffer> {
  let state = 12_345;
  const pcm = Buffer.alloc(samples * 2);
  for (let i = 0; i < samples; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    pcm.writeInt16LE((state >> 8) % 20_000, i * 2);
  }
  await writeFile(bench.path("audio.pcm"), pcm);
  return pcm;
}

const options = () => ({ programs: bench.programs, temporaryFolder: bench.temporaryFolder });

async function encode(from: number, to: number, signal?: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await encodeFlac(bench.path("audio.pcm"), { from, to }, { ...options(), ...(signal ? { signal } : {}) }, (piece) => {
    pieces.push(piece);
  });
  return Buffer.concat(pieces);
}

test("a part is the same samples again, from the first to the last, and says how long it is", async () => {
  const pcm = await record(80_000);
  const flac = await encode(12_345, 67_891);
  const path = bench.path("part.flac");
  await writeFile(path, flac);
  const decoded = await decodeToPcm(path, bench.path("out.pcm"), { ...options(), maxSeconds: 60 });
  expect(decoded.samples).toBe(67_891 - 12_345);
  expect((await readFile(bench.path("out.pcm"))).equals(pcm.subarray(12_345 * 2, 67_891 * 2))).toBe(true);
  expect((await probeMedia(path, options())).durationSeconds).toBeCloseTo((67_891 - 12_345) / 16_000, 4);
  expect(await bench.leftovers()).toEqual([]);
});

test("stopping ends it with the signal's reason, and a file that is not there is our own error", async () => {
  await record(16_000);
  const reason = new Error("stopped");
  await expect(encode(0, 16_000, AbortSignal.abort(reason))).rejects.toBe(reason);
  const none = encodeFlac(bench.path("none.pcm"), { from: 0, to: 10 }, options(), () => {});
  await expect(none).rejects.toMatchObject({ code: "internal" });
  expect(await bench.leftovers()).toEqual([]);
});
