import { findKey, type KeyRow, touchKey } from "@scribe/database";
import { hasScope, parseKey, RequestError, type Scope, secretMatches } from "@scribe/domain";
import type { Request } from "express";
import type { Guard } from "../../openapi/route.ts";

/** Who calls: the key that was shown, and whose it is. */
export interface Caller {
  tenantId: string;
  keyId: string;
  publicId: string;
  scopes: readonly Scope[];
}

/** Compared with where there is no such key, so that both cases take as long. */
const NOBODY = new Uint8Array(32);
/** `last_used_at` is written at most once a minute. */
const TOUCH_AFTER_MS = 60_000;

/**
 * Finds the caller by key. One indexed select for each request and nothing kept, so that a revoked key is refused at
 * once by every replica.
 */
export const authenticate: Guard = ({ db, log }) => {
  return async (request, response, next) => {
    const shown = shownKey(request);
    const parsed = shown === null ? null : parseKey(shown);
    if (parsed === null) throw refuse("A key is needed: `Authorization: Bearer <key>` or `X-API-Key: <key>`.");
    const key = await findKey(db, parsed.publicId);
    if (!secretMatches(parsed.secret, key?.secretHash ?? NOBODY) || key === null)
      throw refuse("This key is not valid.");
    const refusal = refusalOf(key);
    if (refusal !== null) throw refuse(refusal);
    if (key.lastUsedAt === null || Date.now() - key.lastUsedAt.getTime() > TOUCH_AFTER_MS) {
      touchKey(db, key.id).catch((error) => log.warn({ err: error }, "a key's last use was not written"));
    }
    response.locals.caller = {
      tenantId: key.tenantId,
      keyId: key.id,
      publicId: key.publicId,
      scopes: key.scopes,
    } satisfies Caller;
    next();
  };
};

/** Why a key opens nothing now, or null where it does. */
export function refusalOf(key: KeyRow): string | null {
  if (key.revokedAt !== null || key.tenantDisabled) return "This key is not valid.";
  if (key.expiresAt !== null && key.expiresAt.getTime() <= Date.now()) return "This key has expired.";
  return null;
}

/** Refuses a caller whose key lacks the route's scope. */
export const requireScope: Guard = (_api, { scope }) => {
  return (_request, response, next) => {
    const { scopes } = response.locals.caller as Caller;
    if (scope !== null && !hasScope(scopes, scope)) {
      throw new RequestError("forbidden", `The key lacks the scope \`${scope}\`.`);
    }
    next();
  };
};

function shownKey(request: Request): string | null {
  const match = /^Bearer +(\S+) *$/i.exec(request.get("authorization") ?? "");
  return match?.[1] ?? request.get("x-api-key")?.trim() ?? null;
}

function refuse(message: string): RequestError {
  return new RequestError("unauthorized", message, { headers: { "WWW-Authenticate": "Bearer" } });
}
