import { resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { findModel } from "../src/engines/find-model.ts";

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
