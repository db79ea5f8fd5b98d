import { resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { findModel, offeredEntry } from "../src/engines/find-model.ts";

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
