import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { createLinkSigner, type SignedLink } from "../src/link-signer.ts";

const link: SignedLink = { tenantId: "t", jobId: "j", format: "srt", expires: 1_800_000_000 };

test("a signature holds for what it was made of, under its key", () => {
  const signer = createLinkSigner(randomBytes(32));
  const signature = signer.sign(link);
  expect(signer.verify(link, signature)).toBe(true);
  const others: Partial<SignedLink>[] = [{ tenantId: "u" }, { jobId: "k" }, { format: "vtt" }, { expires: 1 }];
  for (const other of others) expect(signer.verify({ ...link, ...other }, signature)).toBe(false);
  for (const wrong of ["", "x", signature.slice(1), `${signature}A`]) expect(signer.verify(link, wrong)).toBe(false);
  expect(createLinkSigner(randomBytes(32)).verify(link, signature)).toBe(false);
});

test("links made under the key before hold, and new ones are made under the new one", () => {
  const [before, key] = [randomBytes(32), randomBytes(32)];
  const both = createLinkSigner(key, before);
  expect(both.verify(link, createLinkSigner(before).sign(link))).toBe(true);
  expect(createLinkSigner(key).verify(link, both.sign(link))).toBe(true);
});
