import { expect, test } from "@jest/globals";
import { pythonJson } from "../../src/foreign/python-json.ts";

test("a golden vector with Hebrew, as Python's json.dumps(…, sort_keys=True) wrote it", () => {
  const value = {
    status: "transcribed",
    recording_id: "הקלטה-7",
    timestamp: null,
    transcription: { text: 'שלום, "עולם" 👋' },
  };
  expect(pythonJson(value)).toBe(
    '{"recording_id": "\\u05d4\\u05e7\\u05dc\\u05d8\\u05d4-7", "status": "transcribed", "timestamp": null, ' +
      '"transcription": {"text": "\\u05e9\\u05dc\\u05d5\\u05dd, \\"\\u05e2\\u05d5\\u05dc\\u05dd\\" \\ud83d\\udc4b"}}',
  );
});

test.each([
  [1e-5, "1e-05"],
  [1.25e-7, "1.25e-07"],
  [0.0001, "0.0001"],
  [0.00012345, "0.00012345"],
  [-0.000123, "-0.000123"],
  [-0.3456, "-0.3456"],
  [123456.789, "123456.789"],
  [3, "3"],
  [1e21, "1000000000000000000000"],
  [0.1 + 0.2, "0.30000000000000004"],
])("%d is %s", (value, text) => {
  expect(pythonJson(value)).toBe(text);
});

test("keys go by code point, lists keep their order, what is not there is left out", () => {
  expect(pythonJson({ "\u{1f600}": 1, "\u{ff5e}": 2, a: [true, false, null, "\n\u0001\u007f"], b: undefined })).toBe(
    '{"a": [true, false, null, "\\n\\u0001\u007f"], "\\uff5e": 2, "\\ud83d\\ude00": 1}',
  );
});
