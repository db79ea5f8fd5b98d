import { createHmac, timingSafeEqual } from "node:crypto";
import { isUuid } from "@scribe/domain";

/** A token that leaked works for this long at most; a session that is revoked ends its tokens at once. */
export const ACCESS_TOKEN_SECONDS = 15 * 60;
const ISSUER = "scribe-rabbit";
const AUDIENCE = "scribe-rabbit-api";
/** Ours have about 400 characters. */
const MAX_CHARACTERS = 2048;
/** Two replicas' clocks. */
const SKEW_SECONDS = 5;

/** Who logged in, in which session, and on behalf of which tenant. */
export interface AccessClaims {
  userId: string;
  sessionId: string;
  tenantId: string;
}

export interface AccessTokens {
  /** For a quarter of an hour, where nothing else is said; what ends the session ends it before. */
  issue(claims: AccessClaims, seconds?: number): string;
  /** What a token says; `invalid` where it is not one of ours, `expired` where it was. */
  read(token: string): AccessClaims | "invalid" | "expired";
}

const HEADER = encode({ alg: "HS256", typ: "JWT" });

/**
 * JWTs (RFC 7519) signed with HMAC-SHA256 under `secret`, of 32 bytes or more. The algorithm is ours to say, never the
 * token's (RFC 8725, section 3.1): a header that is not byte for byte the one we write is refused before anything else.
 */
export function createAccessTokens(secret: Buffer, now: () => number = Date.now): AccessTokens {
  const mac = (text: string) => createHmac("sha256", secret).update(text).digest();
  return {
    issue({ userId, sessionId, tenantId }, seconds = ACCESS_TOKEN_SECONDS) {
      const iat = Math.floor(now() / 1000);
      const body = encode({
        ...{ iss: ISSUER, aud: AUDIENCE, sub: userId, sid: sessionId, tid: tenantId },
        ...{ iat, exp: iat + seconds },
      });
      return `${HEADER}.${body}.${mac(`${HEADER}.${body}`).toString("base64url")}`;
    },
    read(token) {
      const [header, body = "", signature = "", ...more] = token.length > MAX_CHARACTERS ? [] : token.split(".");
      if (header !== HEADER || more.length > 0) return "invalid";
      const right = mac(`${HEADER}.${body}`).toString("base64url");
      // As text: of one signature base64url knows several writings, and only ours counts.
      if (signature.length !== right.length || !timingSafeEqual(Buffer.from(signature), Buffer.from(right))) {
        return "invalid";
      }
      return readClaims(body, Math.floor(now() / 1000));
    },
  };
}

function readClaims(body: string, nowSeconds: number): AccessClaims | "invalid" | "expired" {
  const { iss, aud, sub, sid, tid, iat, exp } = decode(body);
  if (iss !== ISSUER || aud !== AUDIENCE || !isId(sub) || !isId(sid) || !isId(tid)) return "invalid";
  if (typeof exp !== "number" || typeof iat !== "number" || iat > nowSeconds + SKEW_SECONDS) return "invalid";
  if (exp <= nowSeconds) return "expired";
  return { userId: sub, sessionId: sid, tenantId: tid };
}

function isId(value: unknown): value is string {
  return typeof value === "string" && isUuid(value);
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** Signed by whoever has the secret, which may be another program: what is no object says nothing. */
function decode(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
