import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { compileModel } from "../../src/compile/compile-model.ts";
import { CompiledModel } from "../../src/compile/compiled-model.ts";
import { compare, judgeInt8 } from "../../src/compile/judge-int8.ts";
import { openSafetensors } from "../../src/compile/read-safetensors.ts";
import { readModelFolder } from "../../src/model/read-model-folder.ts";
import { NANO } from "../build/samples.ts";
import { writeSafetensors } from "./fixture-model.ts";

const SESSIONS = { executionProviders: ["cpu"], intraOpThreads: 2 };
/** The sample dialogue, 16 kHz mono behind a header of 44 bytes. */
const DIALOGUE = join(NANO, "../sample/dialogue.wav");
const SECOND = 32_000;

let folder: string;
let probe: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "judge-"));
  probe = join(folder, "probe.wav");
  writeFileSync(probe, readFileSync(DIALOGUE).subarray(0, 44 + 8 * SECOND));
});
afterEach(() => rmSync(folder, { recursive: true }));

function speechOf(seconds: number): Float32Array {
  const bytes = readFileSync(DIALOGUE);
  return Float32Array.from({ length: seconds * 16_000 }, (_, i) => bytes.readInt16LE(44 + 2 * i) / 32768);
}

const options = (modelHash: string) => {
  return { modelHash, alignmentHeads: [], cacheFolder: join(folder, "graphs"), probe, sessions: SESSIONS };
};

/**
 * The bundled model with four channels of each LayerNorm 30 times larger, and the columns of the matrices behind it 30
 * times smaller: the same function, and hard to quantize.
 */
async function loudModel(): Promise<string> {
  const loud = join(folder, "loud");
  cpSync(NANO, loud, { recursive: true, filter: (path) => !/onnx|safetensors/.test(path) });
  const { config } = await readModelFolder(NANO);
  const header = readFileSync(join(NANO, "model.safetensors"));
  const length = Number(header.readBigUInt64LE(0));
  const entries: Record<string, { shape: number[] }> = JSON.parse(header.subarray(8, 8 + length).toString());
  const source = openSafetensors(NANO);
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const name of Object.keys(entries).filter((key) => key !== "__metadata__")) {
    tensors.set(name, { shape: entries[name].shape, values: source.read(name, entries[name].shape).slice() });
  }
  source.close();
  const { d_model: width } = config;
  const isLoud = (channel: number) => channel % Math.floor(width / 4) === 0 && channel < width;
  const scale = (name: string, by: number) => {
    const tensor = tensors.get(name);
    if (!tensor) return;
    for (let i = 0; i < tensor.values.length; i++) if (isLoud(i % width)) tensor.values[i] *= by;
  };
  const behind = (norm: string, matrices: string[]) => {
    for (const part of ["weight", "bias"]) scale(`model.${norm}.${part}`, 30);
    for (const matrix of matrices) scale(`model.${matrix}.weight`, 1 / 30);
  };
  for (const [side, layers] of [
    ["encoder", config.encoder_layers],
    ["decoder", config.decoder_layers],
  ] as const) {
    for (let i = 0; i < layers; i++) {
      const layer = `${side}.layers.${i}`;
      behind(
        `${layer}.self_attn_layer_norm`,
        ["q_proj", "k_proj", "v_proj"].map((part) => `${layer}.self_attn.${part}`),
      );
      behind(`${layer}.final_layer_norm`, [`${layer}.fc1`]);
      if (side === "decoder") behind(`${layer}.encoder_attn_layer_norm`, [`${layer}.encoder_attn.q_proj`]);
    }
  }
  const crossed = Array.from({ length: config.decoder_layers }, (_, i) =>
    ["k_proj", "v_proj"].map((part) => `decoder.layers.${i}.encoder_attn.${part}`),
  );
  behind("encoder.layer_norm", crossed.flat());
  writeSafetensors(join(loud, "model.safetensors"), tensors);
  return loud;
}

test("channels 30 times larger than the others, in the same function, do not keep a model from 8 bit", async () => {
  const loud = await readModelFolder(await loudModel());
  const plain = await readModelFolder(NANO);
  const judgement = await judgeInt8(loud, options("loud"));
  expect(judgement).toMatchObject({ passes: true });
  expect(judgement.steps).toBeGreaterThan(60);
  expect(judgement.agreement).toBeGreaterThanOrEqual(0.99);

  // It really is the same function, and the judge would have seen another one.
  const open = async (model: typeof plain, hash: string, precision: "fp32" | "int8") =>
    CompiledModel.open(model, await compileModel(model, { ...options(hash), precision }), [], SESSIONS);
  const speech = speechOf(2);
  const networks = [await open(plain, "plain", "fp32"), await open(loud, "loud", "fp32")];
  expect(await compare(plain, networks[0], networks[1], speech)).toMatchObject({ agreement: 1 });
  for (const network of networks) await network.close();
}, 240_000);

test("a network that hears something else does not pass", async () => {
  const model = await readModelFolder(NANO);
  const files = await compileModel(model, { ...options("plain"), precision: "fp32" });
  const network = await CompiledModel.open(model, files, [], SESSIONS);
  const other = await CompiledModel.open(model, files, [], SESSIONS);
  const encode = other.encode.bind(other);
  other.encode = (mel, batch) => encode(mel.toReversed(), batch);
  const judgement = await compare(model, network, other, speechOf(3));
  expect(judgement.passes).toBe(false);
  expect(judgement.widestLead).toBeGreaterThan(0);
  await network.close();
  await other.close();
}, 240_000);

test("speech that is not there cannot be judged by", async () => {
  const missing = { ...options("plain"), probe: join(folder, "nowhere.wav") };
  await expect(judgeInt8(await readModelFolder(NANO), missing)).rejects.toThrow("to judge 8 bit graphs by");
}, 60_000);
