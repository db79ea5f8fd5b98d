import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { createSecretBox } from "../src/index.ts";

const box = createSecretBox(randomBytes(32));

test("what was sealed is read again, and no two seals are alike", () => {
  for (const text of ["", "whsec_abc", "🐇 with umlauts äöü", "x".repeat(10_000)]) {
    expect(box.decrypt(box.encrypt(text))).toBe(text);
  }
  const seals = Array.from({ length: 100 }, () => box.encrypt("same"));
  expect(new Set(seals).size).toBe(100);
  expect(seals.join()).not.toContain("same");
});

test("a change of any part is noticed", () => {
  const sealed = box.encrypt("a secret");
  const flip = (part: string) => {
    const bytes = Buffer.from(part, "base64url");
    bytes[0] = bytes[0]! ^ 1;
    return bytes.toString("base64url");
  };
  for (const index of [1, 2, 3]) {
    const parts = sealed.split(".");
    parts[index] = flip(parts[index]!);
    expect(() => box.decrypt(parts.join("."))).toThrow(/cannot be read/);
  }
});

test("another key does not open it, and the error names the setting, not the secret", () => {
  const sealed = box.encrypt("canary");
  expect(() => createSecretBox(randomBytes(32)).decrypt(sealed)).toThrow(/SCRIBE_ENCRYPTION_KEY/);
  expect(() => createSecretBox(randomBytes(32)).decrypt(sealed)).not.toThrow(/canary/);
});

test("an unknown form is refused, and so is a shortened tag", () => {
  const [, nonce, tag, text] = box.encrypt("x").split(".");
  for (const form of ["", "plain", "v1", `v2.${nonce}.${tag}.${text}`, `v1.${nonce}.${tag}`]) {
    expect(() => box.decrypt(form)).toThrow(/unknown form/);
  }
  const short = Buffer.from(tag!, "base64url").subarray(0, 4).toString("base64url");
  expect(() => box.decrypt(`v1.${nonce}.${short}.${text}`)).toThrow();
});
