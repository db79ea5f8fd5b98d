import { expect, test } from "@jest/globals";
import { chooseModel, readModelOffer } from "../src/model-offer.ts";

const offer = readModelOffer({
  SCRIBE_MODEL: "openai/whisper-base",
  SCRIBE_MODELS: ["large-v3-turbo", "ivrit-ai/whisper-large-v3@v2", "/models/whisper-nano.en"],
  SCRIBE_MODEL_NAMES: { "house-model": "openai/whisper-base" },
});

test.each([
  [undefined, "whisper-base"],
  ["base", "whisper-base"],
  ["whisper-base", "whisper-base"],
  ["Systran/faster-whisper-base", "whisper-base"],
  ["onnx-community/whisper-base_timestamped", "whisper-base"],
  ["house-model", "whisper-base"],
  ["turbo", "large-v3-turbo"],
  ["openai/whisper-large-v3-turbo", "large-v3-turbo"],
  ["ivrit-ai/whisper-large-v3-ct2", "whisper-large-v3"],
  ["whisper-nano.en", "whisper-nano.en"],
])("the name %s means %s, which is offered", (asked, id) => {
  expect(chooseModel(offer, asked)).toBe(id);
});

test.each(["tiny", "large-v2", "openai/whisper-small", "/models/whisper-nano.en", "acme/whisper-base"])(
  "the name %s means nothing that is offered",
  (asked) => {
    expect(() => chooseModel(offer, asked)).toThrow(expect.objectContaining({ code: "unknown_model" }));
  },
);
