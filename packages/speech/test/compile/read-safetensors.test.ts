import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { openSafetensors } from "../../src/compile/read-safetensors.ts";
import { SpeechError } from "../../src/speech-error.ts";
import { writeSafetensors } from "./fixture-model.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tensors-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const single = () => join(folder, "model.safetensors");
const values = Float32Array.of(1, -2, 0.5, 3, 4, 5);

function write(header: unknown, data: Uint8Array, path = single()) {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, data]));
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof SpeechError) return error.code;
    throw error;
  }
  return "none";
}

describe("reading safetensors", () => {
  test("gives fp32, fp16 and bfloat16 as fp32", () => {
    const halves = new Uint8Array(new Float16Array(values).buffer);
    const brains = new Uint8Array(Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16).buffer);
    const data = Buffer.concat([new Uint8Array(values.buffer), halves, brains]);
    write(
      {
        a: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
        b: { dtype: "F16", shape: [2, 3], data_offsets: [24, 36] },
        c: { dtype: "BF16", shape: [2, 3], data_offsets: [36, 48] },
        ids: { dtype: "I64", shape: [1], data_offsets: [0, 8] },
      },
      data,
    );
    const tensors = openSafetensors(folder);
    for (const name of ["a", "b", "c"]) expect(tensors.read(name, [2, 3])).toEqual(values);
    expect(tensors.has("ids")).toBe(false);
    expect(tensors.shape("b")).toEqual([2, 3]);
    tensors.close();
  });

  test("finds tensors in the shards that an index names", () => {
    writeSafetensors(join(folder, "one.safetensors"), new Map([["a", { shape: [6], values }]]));
    writeSafetensors(join(folder, "two.safetensors"), new Map([["b", { shape: [3, 2], values }]]));
    const map = { a: "one.safetensors", b: "two.safetensors" };
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
    const tensors = openSafetensors(folder);
    expect(tensors.read("a", [6])).toEqual(values);
    expect(tensors.read("b", [3, 2])).toEqual(values);
    tensors.close();
    rmSync(join(folder, "two.safetensors"));
    expect(codeOf(() => openSafetensors(folder))).toBe("model_unavailable");
  });

  test("an index may not point out of the folder", () => {
    const index = JSON.stringify({ weight_map: { a: "../model.safetensors" } });
    writeFileSync(join(folder, "model.safetensors.index.json"), index);
    expect(codeOf(() => openSafetensors(folder))).toBe("invalid_model");
  });

  test("no weights at all are an unavailable model", () => {
    expect(codeOf(() => openSafetensors(folder))).toBe("model_unavailable");
  });

  test("damaged files are refused", () => {
    const whole = { a: { dtype: "F32", shape: [6], data_offsets: [0, 24] } };
    const bytes = new Uint8Array(values.buffer);
    const damages: (() => void)[] = [
      () => writeFileSync(single(), "short"),
      () => writeFileSync(single(), Buffer.alloc(64, 0xff)),
      () => write("{no json", bytes),
      () => write({ a: { dtype: "F32" } }, bytes),
      () => write({ a: { ...whole.a, shape: [7] } }, bytes),
      () => write(whole, bytes.subarray(0, 20)),
    ];
    for (const damage of damages) {
      damage();
      expect(codeOf(() => openSafetensors(folder))).toBe("invalid_model");
    }
  });

  test("a tensor that is missing, of another shape or cut off later is named", () => {
    writeSafetensors(single(), new Map([["a", { shape: [6], values }]]));
    const tensors = openSafetensors(folder);
    expect(() => tensors.read("b", [6])).toThrow("lack b");
    expect(() => tensors.read("a", [2, 3])).toThrow("[6]");
    writeFileSync(single(), readFileSync(single()).subarray(0, -4));
    expect(() => tensors.read("a", [6])).toThrow("cut short");
    tensors.close();
  });
});
