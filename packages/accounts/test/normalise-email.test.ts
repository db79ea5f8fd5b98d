import { expect, test } from "@jest/globals";
import { normaliseEmail } from "../src/index.ts";

test.each([
  [" Ann@Example.COM ", "ann@example.com"],
  ["ann+notes@example.com", "ann+notes@example.com"],
  ["o'brien.j@sub.example.co", "o'brien.j@sub.example.co"],
  ["J\u00fcrgen@B\u00fccher.example", "j\u00fcrgen@xn--bcher-kva.example"],
  // Full-width letters, as some keyboards write them.
  ["\uff41nn@example.com", "ann@example.com"],
])("%j is %s", (text, email) => {
  expect(normaliseEmail(text)).toBe(email);
});

test.each([
  "",
  "ann",
  "@example.com",
  "ann@",
  "ann@localhost",
  "ann@-example.com",
  "ann@exa mple.com",
  "a b@example.com",
  ".ann@example.com",
  "ann..b@example.com",
  "ann@b@example.com",
  "ann\u0000@example.com",
  "ann@example.com\r\nBcc: all@example.com",
  `${"a".repeat(65)}@example.com`,
  `ann@${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.example`,
])("%j is no address", (text) => {
  expect(normaliseEmail(text)).toBeNull();
});
