import type { KeyRow } from "@scribe/database";
import {
  hasScope,
  type KeyLimits,
  keyLimits,
  RequestError,
  SCOPES,
  type Scope,
  safeText,
  WEBHOOK_FORMATS,
} from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../api.ts";
import { effectiveLimits } from "../limits/effective-limits.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { PROFILE_NAMES } from "./compat/profile.ts";
import type { Caller } from "./middleware/authenticate.ts";

const time = z.iso.datetime();

const keyShape = {
  id: z.uuid(),
  prefix: z.string().meta({ description: "How the key begins: `sr_` and its public part" }),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  limits: keyLimits,
  created_at: time,
  expires_at: time.nullable(),
  revoked_at: time.nullable(),
  last_used_at: time.nullable(),
  profile: z.enum(PROFILE_NAMES),
  webhook_format: z.enum(WEBHOOK_FORMATS).nullable(),
} as const;

const shownOnce = z.string().meta({ description: "Shown here, and never again" });

export const keySchema = answerSchema("Key", z.object(keyShape));
export const newKeySchema = answerSchema("NewKey", z.object({ ...keyShape, key: shownOnce }));

/** What a caller says of a key that it makes. */
export const newKeyFields = {
  name: safeText(128).min(1),
  scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
  expires_at: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .refine((at) => at.getTime() > Date.now(), "must be in the future")
    .optional(),
  limits: keyLimits.optional(),
  profile: z
    .enum(PROFILE_NAMES)
    .optional()
    .meta({ description: "Which API its callers know; `legacy`: the FastAPI service's" }),
  webhook_format: z
    .enum(["standard", "legacy"])
    .optional()
    .meta({ description: "How webhooks of its jobs look; absent: as the operator says" }),
} as const;

export function toKeyView(key: KeyRow): z.output<typeof keySchema> {
  return {
    id: key.id,
    prefix: `sr_${key.publicId}`,
    name: key.name,
    scopes: key.scopes,
    limits: key.limits,
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
    profile: key.profile as (typeof PROFILE_NAMES)[number],
    webhook_format: key.webhookFormat,
  };
}

/** A key hands out no scope that it lacks. */
export function refuseEscalation(caller: Caller, scopes: readonly Scope[]): void {
  const beyond = scopes.filter((scope) => !hasScope(caller.scopes, scope));
  if (beyond.length > 0) {
    throw new RequestError("forbidden", `A key cannot grant what it lacks: ${beyond.join(", ")}.`);
  }
}

/** Nor may it, unless it runs the instance, hand out more requests than it has. */
export function refuseHigherLimits({ config }: Api, caller: Caller, limits: KeyLimits): void {
  if (hasScope(caller.scopes, "admin")) return;
  const asked = effectiveLimits(config, limits, {});
  const own = caller.limits;
  const beyond = [
    ["reads_per_minute", asked.readsPerMinute, own.readsPerMinute],
    ["creates_per_minute", asked.createsPerMinute, own.createsPerMinute],
    ["event_streams", asked.eventStreams, own.eventStreams],
  ] as const;
  for (const [name, wanted, most] of beyond) {
    if (limits[name] === undefined || wanted <= most) continue;
    throw new RequestError("forbidden", `A key cannot grant more than it has: ${name} is at most ${most}.`);
  }
}
