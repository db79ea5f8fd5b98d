import { expect, test } from "@jest/globals";
import { hubNameOf } from "../src/index.ts";

test.each([
  ["tiny", "openai/whisper-tiny"],
  ["base.en", "openai/whisper-base.en"],
  ["large", "openai/whisper-large-v3"],
  ["large-v2", "openai/whisper-large-v2"],
  ["turbo", "openai/whisper-large-v3-turbo"],
  ["large-v3-turbo", "openai/whisper-large-v3-turbo"],
  ["distil-large-v3", "distil-whisper/distil-large-v3"],
  ["distil-small.en", "distil-whisper/distil-small.en"],
  ["openai/whisper-base", "openai/whisper-base"],
  ["Systran/faster-whisper-large-v3", "openai/whisper-large-v3"],
  ["Systran/faster-distil-whisper-large-v3", "distil-whisper/distil-large-v3"],
  ["onnx-community/whisper-small.en_timestamped", "openai/whisper-small.en"],
  ["ivrit-ai/whisper-large-v3-turbo-ct2", "ivrit-ai/whisper-large-v3-turbo"],
  ["whisper-nano.en", "whisper-nano.en"],
  ["someone/whisper-of-theirs", "someone/whisper-of-theirs"],
  ["constructor", "constructor"],
])("%s is %s", (name, repository) => {
  expect(hubNameOf(name)).toBe(repository);
});

test("names of the operator's come first", () => {
  expect(hubNameOf("base", { base: "ours/base" })).toBe("ours/base");
  expect(hubNameOf("house", { house: "ours/house" })).toBe("ours/house");
});
