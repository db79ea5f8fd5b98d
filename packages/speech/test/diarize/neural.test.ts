import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { KaldiFilterbank, removeMean } from "../../src/diarize/features/kaldi-filterbank.ts";
import { seededRandom } from "../../src/diarize/gaussian/gaussian-mixture.ts";
import { cutAtPooling } from "../../src/diarize/neural/cut-at-pooling.ts";
import { diarizeByNetworks } from "../../src/diarize/neural/diarize-by-networks.ts";
import { frameMiddle, windowStarts } from "../../src/diarize/neural/frames.ts";
import { HeardWindows } from "../../src/diarize/neural/heard-windows.ts";
import { type OpenedNetworks, openNetworks } from "../../src/diarize/neural/open-networks.ts";
import { maskOf, poolStatistics, resampleMask } from "../../src/diarize/neural/pool-statistics.ts";
import { decodePowerset, powersetClasses } from "../../src/diarize/neural/powerset.ts";
import { reconstruct } from "../../src/diarize/neural/reconstruct.ts";
import { WindowFeatures } from "../../src/diarize/neural/window-features.ts";
import { orderTurns } from "../../src/diarize/turns.ts";
import { classLevel, generateEmbedding, generateSegmentation } from "./generated-networks.ts";
import { sourceOf } from "./voices.ts";

const folder = mkdtempSync(join(tmpdir(), "networks-"));
const TRUNK_FRAMES = 124;
const embeddingModel = generateEmbedding(seededRandom(21), TRUNK_FRAMES);
const folders = { segmentationModel: join(folder, "segmentation"), embeddingModel: join(folder, "embedding") };
const settings = { executionProviders: ["cpu"], intraOpThreads: 1 };
let networks: OpenedNetworks;

beforeAll(async () => {
  mkdirSync(join(folders.segmentationModel, "onnx"), { recursive: true });
  mkdirSync(folders.embeddingModel);
  writeFileSync(join(folders.segmentationModel, "onnx/model.onnx"), generateSegmentation());
  writeFileSync(join(folders.embeddingModel, "model.onnx"), embeddingModel);
  networks = await openNetworks(folders, settings, 1);
});
afterAll(async () => {
  await networks.close();
  rmSync(folder, { recursive: true });
});

describe("the powerset", () => {
  test("of three speakers has seven classes of up to two", () => {
    expect(powersetClasses(3, 2)).toEqual([[], [0], [1], [2], [0, 1], [0, 2], [1, 2]]);
  });

  test("is decoded to the members of the likeliest set", () => {
    const logits = new Float32Array(3 * 7);
    [0, 2, 5].forEach((c, frame) => {
      logits[frame * 7 + c] = 1;
    });
    expect([...decodePowerset(logits)]).toEqual([0, 0, 0, 0, 1, 0, 1, 0, 1]);
  });
});

test.each([
  [0, []],
  [1, [0]],
  [160_000, [0]],
  [160_001, [0, 16_000]],
  [200_000, [0, 16_000, 32_000, 48_000]],
])("windows cover %i samples", (samples, starts) => expect(windowStarts(samples, 16_000)).toEqual(starts));

describe("pooling", () => {
  const trunk = Float32Array.of(1, 2, 3, 10, 0, 0, 4, 8);

  test("of whole weights is that of the frames they stand for, each taken so often", () => {
    // Weights 1, 1, 0, 0: mean and unbiased deviation of the first two.
    const [mean0, mean1, deviation0, deviation1] = poolStatistics(trunk, 2, [1, 1, 0, 0])!;
    expect([mean0, mean1]).toEqual([1.5, 0]);
    expect(deviation0).toBeCloseTo(Math.SQRT1_2, 5);
    expect(deviation1).toBeCloseTo(Math.sqrt(1e-7), 6);
  });

  test("of fractions follows the weighted formula", () => {
    const weights = [0.5, 1, 0.25, 0];
    const sum = 1.75;
    const mean = (0.5 * 1 + 2 + 0.25 * 3) / sum;
    const squares = 0.5 * (1 - mean) ** 2 + (2 - mean) ** 2 + 0.25 * (3 - mean) ** 2;
    const pooled = poolStatistics(trunk, 2, weights)!;
    expect(pooled[0]).toBeCloseTo(mean, 6);
    expect(pooled[2]).toBeCloseTo(Math.sqrt(squares / (sum - (0.25 + 1 + 0.0625) / sum)), 5);
  });

  test.each([[[0, 0, 0, 0]], [[1, 0, 0, 0]]])("of %j has nothing to tell", (weights) => {
    expect(poolStatistics(trunk, 2, weights)).toBeNull();
  });

  test("takes frames where a speaker is alone, unless there are too few", () => {
    const active = Uint8Array.of(1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0);
    expect([...maskOf(active, 3, 0, 1)!]).toEqual([1, 0, 1, 0]);
    expect([...maskOf(active, 3, 0, 2)!]).toEqual([1, 1, 1, 0]);
    expect(maskOf(active, 3, 2, 1)).toBeNull();
    expect([...resampleMask([1, 0, 0, 1], 2)]).toEqual([1, 0]);
  });
});

describe("an embedding network, cut at its pooling", () => {
  const random = seededRandom(4);
  const samples = Float32Array.from({ length: 160_000 }, (_, i) => 0.1 * Math.sin(i / 9) + 0.05 * random());

  test("says of all frames what the uncut network says", async () => {
    const whole = await InferenceSession.create(embeddingModel);
    const features = removeMean(new KaldiFilterbank({ bins: 80, lowHertz: 20, highHertz: 8000 }).compute(samples), 80);
    const input = new Tensor("float32", features, [1, features.length / 80, 80]);
    const { last_hidden_state: expected } = await whole.run({ input_features: input });
    const trunk = await networks.embedder.listen(0, samples);
    expect(trunk.frames).toBe(TRUNK_FRAMES);
    const found = await networks.embedder.embed(trunk, new Uint8Array(589).fill(1));
    expect(found).toHaveLength(256);
    found!.forEach((value, i) => {
      expect(value).toBeCloseTo((expected.data as Float32Array)[i], 3);
    });
    await whole.release();
  });

  test("that has no pooling is refused", () => {
    expect(() => cutAtPooling(generateSegmentation())).toThrow(/no statistics pooling/);
  });
});

test.each([16_000, 40_000, 16_160, 170_000])("frames of windows %i samples apart are those of each alone", (step) => {
  const random = seededRandom(6);
  const samples = Float32Array.from({ length: 160_000 + 3 * step }, (_, i) => Math.sin(i / 7) * random());
  const filterbank = new KaldiFilterbank({ bins: 80, lowHertz: 20, highHertz: 8000 });
  const shared = new WindowFeatures(filterbank);
  for (let start = 0; start <= 3 * step; start += step) {
    const window = samples.subarray(start, start + 160_000);
    const found = shared.of(start, window);
    expect(Buffer.from(found.buffer).equals(Buffer.from(filterbank.compute(window).buffer))).toBe(true);
    // It is the caller's to change.
    found.fill(0);
  }
});

describe("what is kept of windows", () => {
  const row = (value: number) => new Float32Array(4).fill(value);
  const active = new Uint8Array(589 * 3);
  active.set([1, 0, 1], 3);

  test("is who speaks, and the embeddings by which speakers are told apart", () => {
    const heard = new HeardWindows(folder, 2);
    heard.add(active, [row(1), null, row(2)], [false, false, true]);
    heard.add(active, [], []);
    expect(heard.count).toBe(2);
    for (const window of [0, 1]) expect(heard.activeIn(window).subarray(0, 3)).toEqual(Uint8Array.of(0, 5, 0));
    expect(heard.named(([value]) => value * 10)).toEqual(Int8Array.of(10, -1, 20, -1, -1, -1));
    const { count, width } = heard.telling();
    expect([count, width]).toEqual([1, 4]);
    expect(heard.telling().copy(0, 1)).toEqual(row(2));
    heard.close();
  });

  test("is every embedding where none is clear", () => {
    const heard = new HeardWindows(folder, 1);
    heard.add(active, [row(1), row(3)], [false, false]);
    expect(heard.telling().copy(0, 2)).toEqual(Float32Array.of(1, 1, 1, 1, 3, 3, 3, 3));
    heard.close();
  });

  test("of hours is on disk, in files without a name", () => {
    const before = readdirSync(folder);
    const heard = new HeardWindows(folder, 2100);
    const mask = new Uint8Array(589 * 3);
    const vectorOf = (window: number, s: number) => Float32Array.from({ length: 256 }, (_, d) => window + s / 4 + d);
    for (let window = 0; window < 2100; window++) {
      mask.fill(0).fill(1, (window % 589) * 3, (window % 589) * 3 + 2);
      heard.add(mask, [vectorOf(window, 0), vectorOf(window, 1), null], [true, window % 2 === 0]);
    }
    const open = readdirSync("/proc/self/fd").map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return "";
      }
    });
    expect(open.filter((path) => path.startsWith(`${folder}/diarization-`))).toHaveLength(3);
    expect(readdirSync(folder)).toEqual(before);
    for (const window of [0, 1780, 1781, 1779, 2099]) {
      expect(heard.activeIn(window).indexOf(3)).toBe(window % 589);
      expect(heard.activeIn(window).reduce((sum, bits) => sum + bits, 0)).toBe(3);
    }
    expect(heard.telling().count).toBe(3150);
    const [first] = heard.telling().copy(3149, 3150);
    expect(first).toBe(2099);
    expect(
      [...heard.named(([value]) => (value === 2001 || value === 2001.25 ? 1 : 0)).entries()].filter(([, n]) => n === 1),
    ).toEqual([
      [6003, 1],
      [6004, 1],
    ]);
    heard.close();
  });

  test("cannot be kept in a folder that is gone", () => {
    const heard = new HeardWindows(join(folder, "gone"), 2000);
    expect(() => {
      for (let window = 0; window < 2000; window++) heard.add(active, [], []);
    }).toThrow("ENOENT");
    heard.close();
  });
});

describe("putting windows together", () => {
  type Finding = { start: number; active: Uint8Array; speakers: number[] };
  const putTogether = (windows: Finding[], speakers: number, blockFrames?: number) =>
    reconstruct(
      {
        starts: windows.map(({ start }) => start),
        activeIn: (window) => windows[window].active,
        speakers: Int8Array.from(windows.flatMap(({ speakers }) => speakers)),
      },
      speakers,
      blockFrames,
    );
  const steady = ([a, b, c]: number[]) => new Uint8Array(589).fill(a + 2 * b + 4 * c);

  test("speakers of overlapping windows become the file's", () => {
    const { turns } = putTogether(
      [
        { start: 0, active: steady([1, 0, 0]), speakers: [1, -1, -1] },
        { start: 160_000, active: steady([0, 1, 0]), speakers: [-1, 0, -1] },
      ],
      2,
    );
    expect(turns.map(({ speaker }) => speaker)).toEqual([1, 0]);
    expect(turns[0].start).toBeCloseTo(frameMiddle(0), 3);
    expect(turns[0].end).toBeCloseTo(10, 1);
  });

  test("two at once are two turns, and one in the exclusive form", () => {
    const both = { start: 0, active: steady([1, 1, 0]), speakers: [0, 1, -1] };
    const { turns, exclusive } = putTogether([both, both, { ...both, active: steady([1, 0, 0]) }], 2);
    expect(turns).toHaveLength(2);
    expect(exclusive.map(({ speaker }) => speaker)).toEqual([0]);
  });

  test("a long recording's are put together by blocks, and are the same", () => {
    const random = seededRandom(8);
    const windows = Array.from({ length: 30 }, (_, i) => ({
      start: i * 16_000,
      active: Uint8Array.from({ length: 589 }, (_, frame) => (frame % 40 === 0 ? 0 : random() < 0.9 ? 1 : 5)),
      speakers: [i % 2, -1, random() < 0.5 ? 2 : 1],
    }));
    const whole = putTogether(windows, 3);
    expect(whole.turns.length).toBeGreaterThan(20);
    for (const blockFrames of [1, 100, 589, 1000]) expect(putTogether(windows, 3, blockFrames)).toEqual(whole);
  });

  test("two of a window's own who are one speaker are counted once", () => {
    const same = { start: 0, active: steady([1, 1, 0]), speakers: [0, 0, -1] };
    const other = { start: 0, active: steady([1, 0, 0]), speakers: [1, -1, -1] };
    const { exclusive } = putTogether([same, other, other, same, other], 2);
    expect(exclusive.map(({ speaker }) => speaker)).toEqual([1]);
  });

  test("what most windows do not hear is not said", () => {
    const silent = { start: 0, active: steady([0, 0, 0]), speakers: [-1, -1, -1] };
    const heard = { start: 0, active: steady([1, 0, 0]), speakers: [0, -1, -1] };
    expect(putTogether([silent, silent, heard], 1).turns).toEqual([]);
  });
});

/** Samples that tell the generated networks who speaks: a level for the class, a tone that comes and goes for the voice. */
function script(parts: readonly { seconds: number; powersetClass: number; hertz: number }[]): Float32Array {
  const samples: number[] = [];
  const random = seededRandom(77);
  let level = 0;
  for (const { seconds, powersetClass, hertz } of parts) {
    for (let i = 0; i < seconds * 16_000; i++) {
      // Levels glide: a step would be a click, louder than any voice.
      level += (classLevel(powersetClass) - level) / 400;
      const loudness = i % 10_240 < 5120 ? 0.02 : 0.0002;
      // Noise hides what the window lets through of a tone in other bands.
      const noise = 0.01 * (random() - 0.5);
      samples.push(level + noise + loudness * Math.sin((2 * Math.PI * hertz * i) / 16_000));
    }
  }
  return Float32Array.from(samples);
}

describe.each(["exact", "fast"] as const)("the pipeline, %s", (speed) => {
  const [anna, ben] = [400, 3000];
  // Ben is the window's second speaker here, and its first one there: only his voice tells that it is he.
  const samples = script([
    { seconds: 8, powersetClass: 1, hertz: anna },
    { seconds: 2, powersetClass: 0, hertz: 0 },
    { seconds: 8, powersetClass: 2, hertz: ben },
    { seconds: 2, powersetClass: 0, hertz: 0 },
    { seconds: 8, powersetClass: 1, hertz: ben },
    { seconds: 2, powersetClass: 0, hertz: 0 },
  ]);
  const run = (bounds: { minSpeakers: number; maxSpeakers: number }) =>
    diarizeByNetworks(networks, sourceOf(samples), { ...bounds, speed, scratchFolder: folder });

  test("finds who speaks when", async () => {
    const { turns, exclusive } = await run({ minSpeakers: 2, maxSpeakers: 2 });
    expect(exclusive).toEqual(turns);
    const ordered = orderTurns(turns, 0.8);
    expect(ordered.map(({ speaker }) => speaker)).toEqual([0, 1, 1]);
    [0, 10, 20].forEach((start, i) => {
      expect(Math.abs(ordered[i].start - start)).toBeLessThan(0.1);
      expect(Math.abs(ordered[i].end - start - 8)).toBeLessThan(0.15);
    });
  });

  test("keeps to one speaker where that is known", async () => {
    const { turns } = await run({ minSpeakers: 1, maxSpeakers: 1 });
    expect(new Set(turns.map(({ speaker }) => speaker))).toEqual(new Set([0]));
  });

  test("of silence and of nothing finds nobody", async () => {
    for (const nobody of [new Float32Array(20_000), new Float32Array(0)]) {
      const options = { minSpeakers: 1, maxSpeakers: 8, speed, scratchFolder: folder };
      expect((await diarizeByNetworks(networks, sourceOf(nobody), options)).turns).toEqual([]);
    }
  });
});

test("a folder without a network is told, and one of another form", async () => {
  await expect(openNetworks({ ...folders, segmentationModel: folder }, settings, 1)).rejects.toMatchObject({
    code: "model_unavailable",
  });
  const wrong = { ...networks, segmentation: await InferenceSession.create(embeddingModel) };
  const options = { minSpeakers: 1, maxSpeakers: 2, speed: "fast" as const, scratchFolder: folder };
  await expect(diarizeByNetworks(wrong, sourceOf(new Float32Array(16_000)), options)).rejects.toThrow();
  await wrong.segmentation.release();
});
