import { describe, expect, test } from "@jest/globals";
import { createLogger } from "../src/index.ts";

function logged(line: object, message: string): string {
  const lines: string[] = [];
  const destination = { write: (written: string) => void lines.push(written) };
  createLogger({ level: "info", format: "json", name: "test", destination }).info(line, message);
  return lines.join("");
}

describe("a secret does not get into the log by way of another's message", () => {
  const hex = "0123456789abcdef".repeat(4);
  test.each([
    [`the key sr_Ab12Cd34_${"x".repeat(40)} was shown`, "x".repeat(40)],
    [`the refresh token srr_${"y".repeat(43)} was shown`, "y".repeat(43)],
    [`the invitation sri_${"z".repeat(43)}`, "z".repeat(43)],
    ["the token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl came", "eyJzdWIiOiIxIn0"],
    ["signed with whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "c2VjcmV0"],
    [`provider said: invalid key sk-proj-${hex}`, hex],
    [`downloading with hf_${hex}`, hex],
    [`authorization: Bearer ${hex}`, hex],
    ["connect postgres://scribe:hunter2@db.example:5432/scribe failed", "hunter2"],
    [`GET https://bucket.example/a.wav?X-Amz-Signature=${hex}&X-Amz-Expires=9 → 403`, hex],
    [`GET https://files.example/a.wav?token=abc failed`, "token=abc"],
    [`redirected to /a?signature=${hex}`, hex],
  ])("%s", (message, secret) => {
    for (const text of [
      logged({}, message),
      logged({ err: new Error(message) }, "failed"),
      logged({ url: message }, "x"),
    ]) {
      expect(text).not.toContain(secret);
      expect(text).toContain("[redacted]");
      expect(() => JSON.parse(text)).not.toThrow();
    }
  });

  test("what is no secret stays", () => {
    const message = "key sr_Ab12Cd34 asked https://example.com/a.wav at 10:00, see http://a.example/x#part";
    expect(logged({}, message)).toContain(message);
  });
});
