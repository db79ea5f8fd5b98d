import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { compileModel, type Precision } from "../../src/compile/compile-model.ts";
import { CompiledModel } from "../../src/compile/compiled-model.ts";
import type { RowBatch } from "../../src/compile/row-batch.ts";
import { hasSignedProducts } from "../../src/compile/signed-products.ts";
import { LogMel } from "../../src/features/log-mel.ts";
import type { ModelFolder } from "../../src/model/read-model-folder.ts";
import type { EncodedAudio } from "../../src/sessions/whisper-model.ts";
import { decodeRows } from "./decode-rows.ts";
import { randomModel } from "./fixture-model.ts";

const HEADS = [
  [0, 1],
  [1, 0],
] as const;
const CPU = { executionProviders: ["cpu"], intraOpThreads: 1 };

let folder: string;
let cacheFolder: string;
let model: ModelFolder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "model-"));
  cacheFolder = join(folder, "cache");
  model = randomModel(folder);
});
afterEach(() => rmSync(folder, { recursive: true }));

const settings = (precision: Precision = "fp32") => {
  return { modelHash: "hash", precision, alignmentHeads: HEADS, cacheFolder };
};

async function open(precision: Precision) {
  return CompiledModel.open(model, await compileModel(model, settings(precision)), HEADS, CPU);
}

function mel(windows: number): Float32Array {
  return Float32Array.from({ length: windows * 8 * 20 }, (_, i) => Math.sin(i * 0.37) + Math.cos(i * i * 0.011));
}

describe("the cache of compiled models", () => {
  test("the second compilation finds the first's graphs; other options do not", async () => {
    const first = await compileModel(model, settings());
    expect(await compileModel(model, settings())).toEqual(first);
    expect((await compileModel(model, settings("int8"))).folder).not.toBe(first.folder);
    expect((await compileModel(model, { ...settings(), modelHash: "other" })).folder).not.toBe(first.folder);
    expect(readdirSync(cacheFolder)).toHaveLength(3);
  });

  test("compilations that race end with one whole folder", async () => {
    const all = await Promise.all([1, 2, 3].map(() => compileModel(model, settings())));
    expect(new Set(all.map((files) => files.folder)).size).toBe(1);
    expect(readdirSync(cacheFolder)).toHaveLength(1);
    await (await open("fp32")).close();
  });

  test("a damaged folder is compiled again, what a killed process left is swept", async () => {
    const { folder: made } = await compileModel(model, settings());
    truncateSync(join(made, "weights.bin"), 100);
    const left = join(cacheFolder, "key.1.left.tmp");
    mkdirSync(left);
    utimesSync(left, 1, 1);
    await (await open("fp32")).close();
    expect(readdirSync(cacheFolder)).toHaveLength(1);
  });

  test("leaves nothing behind when it is stopped or the model is bad", async () => {
    const stopped = compileModel(model, { ...settings(), signal: AbortSignal.abort() });
    await expect(stopped).rejects.toThrow("abort");
    const heads = [[5, 0]] as const;
    await expect(compileModel(model, { ...settings(), alignmentHeads: heads })).rejects.toThrow("head [5, 0]");
    model.config.vocab_size = 65;
    await expect(compileModel(model, settings())).rejects.toThrow("config.json asks for");
    expect(readdirSync(cacheFolder)).toEqual([]);
  });
});

describe.each<Precision>(["fp32", "int8"])("a compiled model in %s", (precision) => {
  test("encodes, steps, and decodes rows alone, joined and permuted to the same tokens", async () => {
    const network = await open(precision);
    const audio = await network.encode(mel(5), 5);
    const requests = [0, 1, 2, 3, 4].map((row) => {
      return { audio, row, timed: row % 2 === 0, previous: [3, 5, 7, 9].slice(0, row) };
    });
    const limits = { maximumTokens: 20, rounds: 3 };
    const joined = await decodeRows(model, network, requests, { ...limits, width: 5 });
    const reversed = await decodeRows(model, network, requests.toReversed(), { ...limits, width: 2, rounds: 5 });
    expect(reversed.toReversed()).toEqual(joined);
    for (const i of [0, 4]) expect(await decodeRows(model, network, [requests[i]], limits)).toEqual([joined[i]]);
    audio.release();
    await expect(network.prefill(audio, [0], [[1]], [0])).rejects.toThrow("released");
    await network.close();
  });

  test("keeps no room for a long text that has left, and the short one beside it does not notice", async () => {
    const network = await open(precision);
    const audio = await network.encode(mel(2), 2);
    const row = (length: number, window: number) => ({
      ...{ audio, row: window, prompt: Array.from({ length }, (_, i) => (41 + i * 7) % 64), logitsAt: [length - 1] },
      ...{ timed: false, suppress: new Float32Array(64) },
    });
    const batch = network.newBatch() as RowBatch;
    const alone = network.newBatch() as RowBatch;
    const [{ row: long }] = await batch.join([row(20, 0)]);
    const [{ row: short }] = await batch.join([row(3, 1)]);
    const [{ row: only }] = await alone.join([row(3, 1)]);
    const said: number[][] = [];
    for (let run = 0; run < 3; run++) {
      for (const one of batch.rows) batch.begin(one, 5);
      alone.begin(only, 5);
      const together = await batch.advance(2);
      said.push([batch.room, alone.room]);
      expect(together[short.slot].tokens).toEqual((await alone.advance(2))[0].tokens);
      if (run === 0) batch.leave(long);
    }
    expect(said).toEqual([
      [32, 16],
      [16, 16],
      [16, 16],
    ]);
    await network.close();
  });

  test("steps give what the whole prompt gives", async () => {
    const network = await open(precision);
    const audio = await network.encode(mel(2), 2);
    const tokens = [41, 43, 5, 6, 7];
    const whole = await network.prefill(audio, [1], [tokens], [4]);
    const begun = await network.prefill(audio, [0, 1], [tokens.slice(0, 2), tokens.slice(0, 2)], [1]);
    let last = new Float32Array();
    for (const token of tokens.slice(2)) last = (await network.step(begun.state, [1, token])).slice(64);
    for (const [i, logit] of last.entries()) expect(logit).toBeCloseTo(whole.logits[i], precision === "fp32" ? 4 : 1);
    await network.close();
  });

  test("aligns windows of different lengths in one run", async () => {
    const network = await open(precision);
    const audio = await network.encode(mel(2), 2);
    const windows = [
      { audio, row: 0, tokens: [41, 43, 1, 2, 3, 40] },
      { audio, row: 1, tokens: [41, 43, 8, 40] },
    ];
    const together = await network.alignRows(windows);
    for (const [i, window] of windows.entries()) {
      const [alone] = await network.alignRows([window]);
      const digits = precision === "fp32" ? 4 : 2;
      for (const [k, score] of alone.scores.entries()) expect(together[i].scores[k]).toBeCloseTo(score, digits);
    }
    const { weights, positions, probabilities } = await network.align(audio, 0, windows[0].tokens, [HEADS[1]], 40);
    expect(positions).toBe(10);
    expect(weights.subarray(0, 10).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(probabilities).toHaveLength(5);
    await expect(network.align(audio, 0, [41, 43], [[0, 0]], 40)).rejects.toThrow("head [0,0]");
    await network.close();
  });
});

/** `[1, heads, positions, size]` in bytes: keys turned, a scale for each position; values with one for each channel. */
function inBytes(floats: Float32Array, dims: readonly number[], isKey: boolean) {
  const [, heads, positions, size] = dims;
  const values = new Int8Array(floats.length);
  const scales = new Float32Array(heads * (isKey ? positions : size)).fill(1e-10);
  const scaleOf = (head: number, position: number, channel: number) =>
    isKey ? head * positions + position : head * size + channel;
  const each = (told: (at: number, head: number, position: number, channel: number) => void) => {
    for (let at = 0; at < floats.length; at++) {
      told(at, Math.floor(at / (positions * size)), Math.floor(at / size) % positions, at % size);
    }
  };
  each((at, ...place) => {
    scales[scaleOf(...place)] = Math.max(scales[scaleOf(...place)], Math.abs(floats[at]));
  });
  for (const [i, largest] of scales.entries()) scales[i] = largest * Math.fround(1 / 127);
  each((at, head, position, channel) => {
    const steps = Math.fround(floats[at] / scales[scaleOf(head, position, channel)]);
    // Halves go to the even neighbour.
    const near = Math.abs(steps % 1) === 0.5 ? 2 * Math.round(steps / 2) : Math.round(steps);
    values[isKey ? (head * size + channel) * positions + position : at] = near;
  });
  return { values, scales };
}

describe("8 bit weights around 128", () => {
  const compile = (signedWeights: boolean) => compileModel(model, { ...settings("int8"), signedWeights });

  test("are the same function as signed ones, to the last bit", async () => {
    const [signed, unsigned] = [await compile(true), await compile(false)];
    expect(unsigned.folder).not.toBe(signed.folder);
    const networks = [
      await CompiledModel.open(model, signed, HEADS, CPU),
      await CompiledModel.open(model, unsigned, HEADS, CPU),
    ];
    const [right, other] = await Promise.all(networks.map((network) => network.encode(mel(3), 3)));
    for (const row of [0, 1, 2]) {
      const [ours, theirs] = [await right.cross(row), await other.cross(row)];
      expect(Object.keys(theirs)).toHaveLength(4);
      // Signed ones come with keys and values in bytes, the others in 32 bit: what these would be in bytes.
      for (const [name, { data, dims }] of Object.entries(theirs)) {
        const expected = inBytes(data as Float32Array, dims, name.startsWith("cross_key"));
        expect(ours[name].data).toEqual(expected.values);
        expect(ours[name.replace(".", "_scale.")].data).toEqual(expected.scales);
      }
    }
    for (const network of networks) await network.close();
  });

  test("are taken where the processor lacks exact products of unsigned and signed bytes", async () => {
    const told = join(folder, "cpuinfo");
    const flags = (...names: string[]) =>
      writeFileSync(told, `processor\t: 0\nflags\t\t: fpu ${names.join(" ")}\nbugs\t: avx_vnni\n`);
    flags("avx2", "avx512bw");
    expect(await hasSignedProducts("x64", told)).toBe(false);
    for (const name of ["avx512_vnni", "avx_vnni", "amx_int8"]) {
      flags("avx2", name);
      expect(await hasSignedProducts("x64", told)).toBe(true);
    }
    expect(await hasSignedProducts("x64", join(folder, "nowhere"))).toBe(false);
    expect(await hasSignedProducts("arm64", join(folder, "nowhere"))).toBe(true);
    const own = await compileModel(model, settings("int8"));
    expect(own).toEqual(await compile(await hasSignedProducts()));
  });
});

describe("a model in unrolled steps", () => {
  test.each([
    ["fp32", 1e-4],
    ["fp16", 0.05],
  ] as const)("in %s says what the loop says, rows joined, permuted and alone", async (precision, tolerance) => {
    const loop = await open("fp32");
    const files = await compileModel(model, { ...settings(precision), form: "steps" });
    const steps = await CompiledModel.open(model, files, HEADS, CPU);
    const [heard, own] = [await loop.encode(mel(5), 5), await steps.encode(mel(5), 5)];
    const prompt = [41, 43, 5, 6, 7];
    const right = await loop.prefill(heard, [0, 4, 2], [prompt, prompt, prompt], [1, 4]);
    const begun = await steps.prefill(own, [0, 4, 2], [prompt, prompt, prompt], [1, 4]);
    const near = (a: ArrayLike<number>, b: ArrayLike<number>) => {
      expect(a.length).toBe(b.length);
      for (let i = 0; i < a.length; i++) expect(Math.abs(a[i] - b[i])).toBeLessThan(tolerance);
    };
    near(begun.logits, right.logits);
    for (const token of [3, 9, 44, 50]) {
      const tokens = [token, token + 1, 2];
      near(await steps.step(begun.state, tokens), await loop.step(right.state, tokens));
    }
    if (precision === "fp16") return;
    const requests = (audio: EncodedAudio) =>
      [0, 1, 2, 3, 4].map((row) => ({ audio, row, timed: row % 2 === 0, previous: [3, 5, 7, 9].slice(0, row) }));
    const limits = { maximumTokens: 20 };
    const expected = await decodeRows(model, loop, requests(heard), { ...limits, rounds: 8, width: 5 });
    for (const [rounds, width] of [
      [8, 5],
      [3, 2],
      [5, 1],
    ]) {
      expect(await decodeRows(model, steps, requests(own), { ...limits, rounds, width })).toEqual(expected);
    }
    const reversed = await decodeRows(model, steps, requests(own).toReversed(), { ...limits, rounds: 6, width: 3 });
    expect(reversed.toReversed()).toEqual(expected);
    own.release();
    for (const network of [loop, steps]) await network.close();
  });
});

test("a model compiled without alignment heads does not align", async () => {
  const files = await compileModel(model, { ...settings(), alignmentHeads: [] });
  const network = await CompiledModel.open(model, files, [], CPU);
  expect(network.canAlign).toBe(false);
  const audio = await network.encode(mel(1), 1);
  await expect(network.align(audio, 0, [41, 43], [], 40)).rejects.toThrow("without alignment");
  const long = Array.from({ length: 40 }, () => 1);
  await expect(network.prefill(audio, [0], [long], [39])).rejects.toThrow("too long");
  await network.close();
});

test("features are those of the transform in JavaScript, window by window", async () => {
  const network = await open("fp32");
  const reference = new LogMel(model.features);
  const tone = Float32Array.from({ length: 3200 }, (_, i) => 0.3 * Math.sin(i * 0.2) + 0.1 * Math.sin(i * i * 0.001));
  const short = tone.slice(0, 700).map((sample) => sample / 50);
  const both = new Float32Array(2 * 3200);
  both.set(tone);
  both.set(short, 3200);
  const mel = await network.features(both, 2);
  const expected = [tone, short].flatMap((samples) => [...reference.window(samples, 20)]);
  expect(mel).toHaveLength(expected.length);
  for (const [i, value] of mel.entries()) expect(Math.abs(value - expected[i])).toBeLessThan(1e-4);
  await network.close();
});

test("in fp32 a row's numbers are the same to the last bit in any company", async () => {
  const network = await open("fp32");
  const audio = await network.encode(mel(4), 4);
  const prompts = [0, 1, 2, 3].map((row) => [41, 43, row + 1]);
  const together = await network.prefill(audio, [0, 1, 2, 3], prompts, [2]);
  for (const row of [0, 3]) {
    const alone = await network.prefill(audio, [row], [prompts[row]], [2]);
    expect(alone.logits).toEqual(together.logits.slice(row * 64, (row + 1) * 64));
  }
  const [encoded] = [await network.encode(mel(4).slice(160 * 3), 1)];
  const moved = await network.prefill(encoded, [0], [prompts[3]], [2]);
  expect(moved.logits).toEqual(together.logits.slice(3 * 64));
  await network.close();
});
