import { resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { findModel, hubModel, needOffered, offeredEntry } from "../src/engines/find-model.ts";

const places = { modelDir: "/models", offered: ["whisper-nano.en", "/data/fine-tuned", "./local"] };

test.each([
  ["whisper-nano.en", "/models/whisper-nano.en"],
  ["fine-tuned", "/data/fine-tuned"],
  ["/data/fine-tuned", "/data/fine-tuned"],
  ["local", resolve("local")],
])("the model %s lies in %s", (name, folder) => {
  expect(findModel(name, places)).toBe(folder);
});

test.each(["other", "../etc", "/etc", ""])("the model %j is not opened, for nobody offers it", (name) => {
  expect(() => findModel(name, places)).toThrow(
    expect.objectContaining({ code: "model_unavailable", retryable: false }),
  );
});

test("ids of the hub are known by their name, and bundled models where the operator's folder lacks them", () => {
  const hub = { modelDir: "/nowhere", bundledDir: "/bundled", offered: ["whisper-nano.en", "acme/mini@v1"] };
  expect(offeredEntry("mini", hub.offered)).toBe("acme/mini@v1");
  expect(findModel("whisper-nano.en", hub)).toBe("/bundled/whisper-nano.en");
});

test.each([
  ["base", "openai/whisper-base"],
  ["Systran/faster-whisper-small", "openai/whisper-small"],
  ["acme/mini@v1", "acme/mini"],
  ["house", "acme/house-model"],
])("the name %s means %s on the hub", (entry, repo) => {
  expect(hubModel(entry, { names: { house: "acme/house-model" } })?.repo).toBe(repo);
});

test("a name that means nothing stops the start, and says where was looked", () => {
  const bundledDir = resolve(import.meta.dirname, "../../../models");
  const here = { modelDir: "/models", bundledDir, names: { house: "acme/house-model" } };
  needOffered({ ...here, offered: ["whisper-nano.en", "base", "house", "acme/mini", bundledDir] });
  const slip = { ...here, offered: ["whisper-nano.en", "no-such-model"] };
  expect(() => needOffered(slip)).toThrow(/no model "no-such-model".*\/models or .*owner\/name/);
});
