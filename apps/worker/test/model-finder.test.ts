import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createLogger } from "@scribe/telemetry";
import { type HubStandIn, startHubStandIn, waitFor } from "@scribe/testing";
import { createModelFinder } from "../src/engines/model-finder.ts";

const FILES = {
  ...{ "config.json": '{"model_type":"whisper"}', "preprocessor_config.json": "{}", "vocab.json": "{ }" },
  ...{ "onnx/encoder_model.onnx": "encoder", "onnx/decoder_model_merged.onnx": "decoder" },
};

let server: HubStandIn;
let folder: string;
let lines: string[];
beforeEach(async () => {
  server = await startHubStandIn();
  server.add("acme/whisper-mini", FILES);
  folder = await mkdtemp(join(tmpdir(), "scribe-finder-"));
  lines = [];
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
});

function open(offered: string[], tries = 1) {
  const destination = { write: (line: string) => lines.push(line) };
  const log = createLogger({ level: "info", format: "json", name: "worker", destination });
  const places = { modelDir: folder, bundledDir: "/bundled", offered };
  return createModelFinder(places, { endpoint: server.url, cacheFolder: folder, tries }, log);
}

test("a model of the hub is fetched once for all who ask, by its id or its name", async () => {
  const models = open(["whisper-nano.en", "acme/whisper-mini@main"]);
  const found = await Promise.all(["whisper-mini", "acme/whisper-mini@main"].map(models.find));
  expect(new Set(found).size).toBe(1);
  expect(existsSync(join(found[0]!, "onnx", "encoder_model.onnx"))).toBe(true);
  expect(server.requests.filter(({ path }) => path.startsWith("/api/"))).toHaveLength(1);
  expect(lines.join("")).toContain('"percent":100');
});

test("what is a folder here is found at once, and nothing is asked", async () => {
  await mkdir(join(folder, "acme", "whisper-mini"), { recursive: true });
  const models = open(["whisper-nano.en", "acme/whisper-mini", "mine"]);
  await mkdir(join(folder, "mine"));
  expect(models.find("whisper-nano.en")).toBe("/bundled/whisper-nano.en");
  expect(models.find("mine")).toBe(join(folder, "mine"));
  expect(models.find("whisper-mini")).toBe(join(folder, "acme", "whisper-mini"));
  expect(server.requests).toEqual([]);
});

test("what is not offered is not asked for", () => {
  expect(() => open(["whisper-nano.en"]).find("acme/whisper-mini")).toThrow("not offered");
});

test("a fetch that fails is tried again by whoever asks next", async () => {
  server.fail(/^\/api/, { status: 503 });
  const models = open(["acme/whisper-mini"]);
  await expect(models.find("whisper-mini")).rejects.toMatchObject({ code: "model_unavailable" });
  expect(await models.find("whisper-mini")).toContain("snapshots");
});

test("what is offered is fetched before anybody asks; a failure is told, and an end of the worker is not one", async () => {
  open(["acme/whisper-mini", "acme/none"]).fetchOffered();
  await waitFor(() => lines.some((line) => line.includes("could not be fetched")), { what: "the warning" });
  expect(lines.join("")).toContain("acme/none");
  server.fail(/^\/api/, "hang");
  const models = open(["acme/other"]);
  const asked = models.find("other");
  models.close();
  await expect(asked).rejects.toThrow("shutting down");
});
