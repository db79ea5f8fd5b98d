import { type KeyRow, type SessionAccess, touchKey } from "@scribe/database";
import { hasScope, RequestError, ROLE_SCOPES, type Role, type Scope, type WebhookFormat } from "@scribe/domain";
import type { Api } from "../../api.ts";
import { type EffectiveLimits, effectiveLimits, limitsOfKey } from "../../limits/effective-limits.ts";
import type { Guard } from "../../openapi/route.ts";
import type { Identity } from "./limit-requests.ts";

/** Who calls, with a key or as a user who logged in, and on whose behalf. */
export interface Caller {
  tenantId: string;
  /** The key's id, or the user's: what is counted by caller is counted by it. */
  keyId: string;
  /** For logs and the audit: the key's public part, or `user:<id>`. */
  publicId: string;
  scopes: readonly Scope[];
  limits: EffectiveLimits;
  /** The user who calls, or whose key it is; null for keys that the operator made, and those that came of them. */
  madeBy: string | null;
  /** Which API the caller knows. */
  profile: string;
  /** How webhooks of the caller's jobs look; null: as the operator says. */
  webhookFormat: WebhookFormat | null;
  /** Null where a key was shown. */
  user: { id: string; email: string; sessionId: string; role: Role } | null;
}

/** `last_used_at` is written at most once a minute. */
const TOUCH_AFTER_MS = 60_000;

/** Lets callers pass whom the rate limit has found and holds for valid. */
export const authenticate: Guard = ({ db, log }) => {
  return async (_request, response, next) => {
    const { caller, key, refusal } = response.locals.identity as Identity;
    if (caller === null) throw refusal;
    if (key !== null && (key.lastUsedAt === null || Date.now() - key.lastUsedAt.getTime() > TOUCH_AFTER_MS)) {
      touchKey(db, key.id).catch((error) => log.warn({ err: error }, "a key's last use was not written"));
    }
    response.locals.caller = caller;
    next();
  };
};

export function callerWithKey({ config }: Pick<Api, "config">, key: KeyRow): Caller {
  return {
    tenantId: key.tenantId,
    keyId: key.id,
    publicId: key.publicId,
    scopes: key.scopes,
    limits: limitsOfKey(config, key),
    madeBy: key.createdBy,
    profile: key.profile,
    webhookFormat: key.webhookFormat,
    user: null,
  };
}

export function callerInSession({ config }: Pick<Api, "config">, session: SessionAccess): Caller {
  const { userId, email, sessionId, tenantId, role, tenantLimits } = session;
  return {
    tenantId,
    keyId: userId,
    publicId: `user:${userId}`,
    scopes: ROLE_SCOPES[role],
    limits: effectiveLimits(config, {}, tenantLimits),
    madeBy: userId,
    profile: "standard",
    webhookFormat: null,
    user: { id: userId, email, sessionId, role },
  };
}

/** Why a key opens nothing now, or null where it does. */
export function refusalOf(key: KeyRow): string | null {
  if (key.revokedAt !== null || key.tenantDisabled) return "This key is not valid.";
  if (key.expiresAt !== null && key.expiresAt.getTime() <= Date.now()) return "This key has expired.";
  return null;
}

/** Refuses a caller who lacks the route's scope. */
export const requireScope: Guard = (_api, { scope }) => {
  return (_request, response, next) => {
    const { scopes, user } = response.locals.caller as Caller;
    if (scope !== null && !hasScope(scopes, scope)) {
      const who = user === null ? "key" : `role \`${user.role}\``;
      throw new RequestError("forbidden", `The ${who} lacks the scope \`${scope}\`.`);
    }
    next();
  };
};
