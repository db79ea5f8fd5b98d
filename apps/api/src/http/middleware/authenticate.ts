import { type KeyRow, touchKey } from "@scribe/database";
import { hasScope, RequestError, type Scope } from "@scribe/domain";
import { type EffectiveLimits, limitsOfKey } from "../../limits/effective-limits.ts";
import type { Guard } from "../../openapi/route.ts";
import type { Identity } from "./limit-requests.ts";

/** Who calls: the key that was shown, and whose it is. */
export interface Caller {
  tenantId: string;
  keyId: string;
  publicId: string;
  scopes: readonly Scope[];
  limits: EffectiveLimits;
}

/** `last_used_at` is written at most once a minute. */
const TOUCH_AFTER_MS = 60_000;

/** Lets callers pass whose key the rate limit has found and holds for valid. */
export const authenticate: Guard = ({ db, log, config }) => {
  return async (_request, response, next) => {
    const { key, refusal } = response.locals.identity as Identity;
    if (key === null) {
      throw new RequestError("unauthorized", refusal, { headers: { "WWW-Authenticate": "Bearer" } });
    }
    if (key.lastUsedAt === null || Date.now() - key.lastUsedAt.getTime() > TOUCH_AFTER_MS) {
      touchKey(db, key.id).catch((error) => log.warn({ err: error }, "a key's last use was not written"));
    }
    response.locals.caller = {
      tenantId: key.tenantId,
      keyId: key.id,
      publicId: key.publicId,
      scopes: key.scopes,
      limits: limitsOfKey(config, key),
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
