import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type HubStandIn, startHubStandIn, startProcess } from "@scribe/testing";
import { chooseStartModel } from "../src/models/choose-start-model.ts";

const CLI = resolve(import.meta.dirname, "../src/main.ts");
const FILES = {
  ...{ "config.json": '{"model_type":"whisper"}', "preprocessor_config.json": "{}", "vocab.json": "{ }" },
  ...{ "onnx/encoder_model.onnx": "encoder", "onnx/decoder_model_merged.onnx": "decoder" },
  "model.safetensors": "weights",
};

let hub: HubStandIn;
let folder: string;
let env: Record<string, string>;
beforeEach(async () => {
  hub = await startHubStandIn();
  hub.add("acme/whisper-mini", FILES);
  folder = await mkdtemp(join(tmpdir(), "scribe-models-"));
  env = { SCRIBE_DATA_DIR: folder, HF_ENDPOINT: hub.url, HF_HOME: join(folder, "hf") };
});
afterEach(async () => {
  await hub.stop();
  await rm(folder, { recursive: true, force: true });
});

async function models(...args: string[]) {
  const child = startProcess(CLI, env, { args: ["models", ...args] });
  const { code } = await child.exit;
  return { code, stdout: child.stdout(), output: child.output() };
}

describe("models", () => {
  test("are fetched, listed as what they are, and removed", async () => {
    env.SCRIBE_MODELS = "acme/whisper-mini@main";
    const pulled = await models("pull", "acme/whisper-mini");
    expect(pulled).toMatchObject({ code: 0, output: expect.stringContaining("100 %") });
    expect(existsSync(join(pulled.stdout.trim(), "model.safetensors"))).toBe(true);
    expect(existsSync(join(pulled.stdout.trim(), "onnx"))).toBe(false);
    const { models: found } = JSON.parse((await models("list", "--json")).stdout);
    expect(found).toEqual([
      expect.objectContaining({ name: "whisper-nano.en", default: true, source: "bundled" }),
      expect.objectContaining({
        name: "acme/whisper-mini",
        default: false,
        offered: true,
        source: "hub",
        revision: "main",
      }),
    ]);
    expect(found[1].folder).toBe(pulled.stdout.trim());
    expect((await models("list")).stdout).toMatch(/acme\/whisper-mini +main +offered/);
    expect((await models("rm", "acme/whisper-mini")).code).toBe(0);
    expect(await models("rm", "acme/whisper-mini")).toMatchObject({
      code: 2,
      output: expect.stringContaining("acme/whisper-mini is not in"),
    });
  }, 120_000);

  test("are compiled ahead of time, and found compiled the next time", async () => {
    env.EXECUTION_PROVIDERS = "cpu";
    const { stdout } = await models("compile", "whisper-nano.en", "--json");
    const made = { model: "whisper-nano.en", computation: "cpu/fp32/compiled", graphs: join(folder, "graphs") };
    expect(JSON.parse(stdout)).toMatchObject(made);
    const before = readdirSync(made.graphs);
    expect((await models("compile", "whisper-nano.en")).stdout).toContain("cpu/fp32/compiled");
    expect(readdirSync(made.graphs)).toEqual(before);
    expect(await models("compile", "base")).toMatchObject({
      code: 2,
      output: expect.stringContaining("pull openai/whisper-base"),
    });
    env.SPEECH_PRECISION = "fp16";
    expect(await models("compile", "whisper-nano.en")).toMatchObject({
      code: 2,
      output: expect.stringContaining("fp16 cannot be run on cpu"),
    });
  }, 120_000);

  test("that cannot be had are told as such", async () => {
    expect(await models("pull", "nonsense")).toMatchObject({ code: 2, output: expect.stringContaining("owner/name") });
    expect(await models("pull", "acme/none")).toMatchObject({
      code: 1,
      output: expect.stringContaining("no such model"),
    });
    env.HF_HUB_OFFLINE = "1";
    expect(await models("pull", "acme/whisper-mini")).toMatchObject({
      code: 1,
      output: expect.stringContaining("HF_HUB_OFFLINE"),
    });
  }, 120_000);
});

describe("a start that names no model", () => {
  const REAL = "openai/whisper-base";
  const lines: string[] = [];
  const choose = (more: Record<string, string> = {}, patienceMs = 10_000) => {
    lines.length = 0;
    return chooseStartModel({ ...env, ...more }, (line) => lines.push(line), patienceMs);
  };

  test("takes a real one where the hub answers, and offers the bundled one beside it", async () => {
    hub.add(REAL, FILES);
    expect(await choose()).toEqual({ SCRIBE_MODEL: REAL, SCRIBE_MODELS: "whisper-nano.en" });
    expect(lines.join()).toContain("fetched in the background");
  });

  test("takes the bundled one, with a warning and without delay, where the hub is away", async () => {
    hub.fail(/^\/api/, "hang");
    const begun = Date.now();
    expect(await choose({}, 300)).toEqual({});
    expect(Date.now() - begun).toBeLessThan(3000);
    expect(lines.join()).toMatch(/Warning: .*the hub does not answer.*whisper-nano\.en.*simple English/);
    expect(await choose({ HF_ENDPOINT: "http://127.0.0.1:9" })).toEqual({});
    expect(lines.join()).toContain("Warning");
    expect(await choose()).toEqual({});
    expect(lines.join()).toContain("no such model");
  });

  test("asks nobody where a model is named, or offline", async () => {
    expect(await choose({ SCRIBE_MODEL: "whisper-nano.en" })).toEqual({});
    expect(lines).toEqual([]);
    expect(await choose({ HF_HUB_OFFLINE: "1" })).toEqual({});
    expect(lines.join()).toContain("HF_HUB_OFFLINE is set");
    expect(await choose({ PORT: "no port" })).toEqual({});
    expect(lines).toEqual([]);
    expect(hub.requests).toEqual([]);
  });
});
