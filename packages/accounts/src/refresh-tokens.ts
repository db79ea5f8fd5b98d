import { createHash, createHmac, hkdfSync, randomBytes } from "node:crypto";

const SECRET_BYTES = 32;

export interface RefreshTokens {
  first(): string;
  /**
   * The token that takes another's place: always the same one for the same token, so that two requests that show one
   * token at the same moment are given one successor, though only hashes are kept.
   */
  successor(token: string): string;
}

/** `srr_` and 43 characters: 256 bits, of which only the SHA-256 is kept. */
export function createRefreshTokens(secret: Buffer): RefreshTokens {
  const key = Buffer.from(hkdfSync("sha256", secret, Buffer.alloc(0), "scribe refresh tokens", 32));
  return {
    first: () => `srr_${randomBytes(SECRET_BYTES).toString("base64url")}`,
    successor: (token) => `srr_${createHmac("sha256", key).update(token).digest("base64url")}`,
  };
}

export function newInvitationToken(): string {
  return `sri_${randomBytes(SECRET_BYTES).toString("base64url")}`;
}

/** What is kept of a token: it is random, so that a plain SHA-256 is enough. */
export function hashToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
