import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { keepSecret, readSecret, replaceSecret } from "../src/stack/keep-secret.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "scribe-secret-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a secret is made once, for its owner alone, and nothing else is left in the folder", () => {
  const path = join(folder, "below", "key");
  expect(keepSecret(path, () => "first")).toBe("first");
  expect(keepSecret(path, () => "second")).toBe("first");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(folder, "below"))).toEqual(["key"]);
});

test("of two that make it at once, both get the one that won", () => {
  const path = join(folder, "key");
  expect(
    keepSecret(path, () => {
      keepSecret(path, () => "winner");
      return "loser";
    }),
  ).toBe("winner");
});

test("a secret can be replaced", () => {
  const path = join(folder, "key");
  expect(readSecret(path)).toBeNull();
  keepSecret(path, () => "old");
  replaceSecret(path, "new");
  expect(readSecret(path)).toBe("new");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a path that cannot be read is an error, not an absent secret", () => {
  expect(() => readSecret(folder)).toThrow("EISDIR");
});
