import { createHash, randomInt, timingSafeEqual } from "node:crypto";

export const SCOPES = ["transcribe", "read", "manage", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const FORM = /^sr_([A-Za-z0-9]{8})_([A-Za-z0-9]{32,128})$/;

export interface ParsedKey {
  publicId: string;
  secret: string;
}

/** A new key `sr_<8>_<40>`; the secret has 238 bits, so a plain SHA-256 of it is enough at rest. */
export function generateKey(): ParsedKey & { key: string } {
  const publicId = randomText(8);
  const secret = randomText(40);
  return { publicId, secret, key: `sr_${publicId}_${secret}` };
}

export function parseKey(text: string): ParsedKey | null {
  const match = FORM.exec(text);
  return match ? { publicId: match[1]!, secret: match[2]! } : null;
}

export const EXAMPLE_KEY = `sr_example1_${"x".repeat(40)}`;

export function hashSecret(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

/** Constant time in the secret; `stored` is the SHA-256 that the row holds. */
export function secretMatches(secret: string, stored: Uint8Array): boolean {
  return timingSafeEqual(hashSecret(secret), stored);
}

/** `transcribe` implies `read`; nothing else implies anything. */
export function hasScope(scopes: readonly string[], wanted: Scope): boolean {
  return scopes.includes(wanted) || (wanted === "read" && scopes.includes("transcribe"));
}

function randomText(length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += ALPHABET[randomInt(ALPHABET.length)];
  return text;
}
