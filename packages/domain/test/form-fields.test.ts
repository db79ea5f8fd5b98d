import { expect, test } from "@jest/globals";
import { RequestError, readFormFields, uploadFields } from "../src/index.ts";

const read = (fields: Record<string, string>) => readFormFields(new Map(Object.entries(fields)));

test("booleans, numbers, lists and objects are read as JSON", () => {
  expect({
    ...read({
      word_timestamps: "false",
      temperature: "[0, 0.2]",
      no_speech_threshold: "null",
      clip: '{"start": 1}',
      metadata: '{"a": "b"}',
    }),
  }).toEqual({
    word_timestamps: false,
    temperature: [0, 0.2],
    no_speech_threshold: null,
    clip: { start: 1 },
    metadata: { a: "b" },
  });
});

test("text fields stay text, even where they look like JSON", () => {
  const fields = { prompt: "true", recording_id: "42", model: "null", language: "en", webhook_secret: '"quoted"' };
  expect({ ...read(fields) }).toEqual(fields);
  expect(uploadFields.safeParse({ ...read(fields) }).success).toBe(true);
});

test("what is no JSON is left for the schema to name", () => {
  const parsed = uploadFields.safeParse(read({ word_timestamps: "yes", metadata: "{a: 1}" }));
  expect(parsed.error?.issues.map(({ path }) => path)).toEqual([["word_timestamps"], ["metadata"]]);
});

test("fields named like an object's machinery are unknown fields", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    const parsed = uploadFields.safeParse(readFormFields(new Map([[name, '{"admin": true}']])));
    expect(parsed.error?.issues).toMatchObject([{ code: "unrecognized_keys", keys: [name] }]);
  }
});

test("`__proto__` inside a field's JSON is named, at any depth", () => {
  for (const metadata of ['{"__proto__": 1}', '{"synthetic": {"a": [{"__proto__": {"x": 1}}]}}']) {
    let thrown: unknown;
    try {
      read({ metadata });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RequestError);
    expect(thrown).toMatchObject({ status: 400, errors: [{ path: "metadata.__proto__" }] });
  }
});
