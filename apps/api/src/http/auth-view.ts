import { ACCESS_TOKEN_SECONDS, hashToken, normaliseEmail } from "@scribe/accounts";
import { openSession, type UserRow, type UserTenant } from "@scribe/database";
import { RequestError, ROLE_SCOPES, ROLES, SCOPES } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../api.ts";
import { answerSchema } from "../openapi/schemas.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { notFound } from "./middleware/render-problem.ts";
import { accountsOf } from "./middleware/require-accounts.ts";

/** What people type; nobody's address or password is as long. */
const MAX_TYPED = 1024;

export const emailField = z
  .string()
  .max(MAX_TYPED)
  .transform((text, context) => {
    const email = normaliseEmail(text);
    if (email !== null) return email;
    context.addIssue({ code: "custom", message: "must be an e-mail address" });
    return z.NEVER;
  });
export const passwordField = z.string().min(1).max(MAX_TYPED);
export const invitationField = z
  .string()
  .regex(/^sri_[A-Za-z0-9_-]{43}$/, "must be an invitation's token")
  .meta({ description: "An invitation's token: the account joins the tenant that invited" });
export const refreshField = z.string().regex(/^srr_[A-Za-z0-9_-]{43}$/, "must be a refresh token");

export const userSchema = answerSchema(
  "User",
  z.object({ id: z.uuid(), email: z.string(), name: z.string().nullable(), created_at: z.iso.datetime() }),
);

export const userTenantSchema = answerSchema(
  "UserTenant",
  z.object({ id: z.uuid(), name: z.string(), role: z.enum(ROLES), scopes: z.array(z.enum(SCOPES)) }),
);

export const grantSchema = answerSchema(
  "Grant",
  z.object({
    access_token: z.string().meta({ description: "A JWT, shown as `Authorization: Bearer …`" }),
    token_type: z.literal("Bearer"),
    expires_in: z.int().meta({ description: "Seconds until the access token ends" }),
    refresh_token: z.string().meta({ description: "Good for one refresh, within 30 days" }),
    user: userSchema,
    tenant: userTenantSchema,
  }),
);

export function toUserView(user: UserRow): z.output<typeof userSchema> {
  return { id: user.id, email: user.email, name: user.name, created_at: user.createdAt.toISOString() };
}

export function toTenantView({ id, name, role }: UserTenant): z.output<typeof userTenantSchema> {
  return { id, name, role, scopes: [...ROLE_SCOPES[role]] };
}

export interface Granted {
  user: UserRow;
  tenant: UserTenant;
  sessionId: string;
  refreshToken: string;
}

export function toGrantView(
  api: Api,
  { user, tenant, sessionId, refreshToken }: Granted,
): z.output<typeof grantSchema> {
  const claims = { userId: user.id, sessionId, tenantId: tenant.id };
  return {
    access_token: accountsOf(api).access.issue(claims),
    token_type: "Bearer",
    expires_in: ACCESS_TOKEN_SECONDS,
    refresh_token: refreshToken,
    user: toUserView(user),
    tenant: toTenantView(tenant),
  };
}

/** A new session of a user on behalf of a tenant, as it is answered. */
export async function grantSession(api: Api, user: UserRow, tenant: UserTenant): Promise<z.output<typeof grantSchema>> {
  const refreshToken = accountsOf(api).refresh.first();
  const sessionId = await openSession(api.db, {
    ...{ userId: user.id, tenantId: tenant.id, tokenHash: hashToken(refreshToken) },
  });
  return toGrantView(api, { user, tenant, sessionId, refreshToken });
}

/** The tenant that a session speaks for: the one asked for, else the one `before`, else the oldest membership's. */
export function chooseTenant(
  tenants: readonly UserTenant[],
  { asked, before }: { asked?: string | undefined; before?: string | undefined },
): UserTenant {
  const byId = (id: string | undefined) => tenants.find((tenant) => tenant.id === id?.toLowerCase());
  if (asked !== undefined) {
    const found = byId(asked);
    if (found === undefined) throw notFound("tenant");
    return found;
  }
  const found = byId(before) ?? tenants[0];
  if (found === undefined) throw new RequestError("forbidden", "This account belongs to no tenant that is open.");
  return found;
}

/** @throws RequestError 403 where a key was shown */
export function userOf(caller: Caller): NonNullable<Caller["user"]> {
  if (caller.user !== null) return caller.user;
  throw new RequestError("forbidden", "Behind a key there is no account; show a user's access token.");
}

/** @throws RequestError 400 */
export function refuseField(path: string, message: string): never {
  throw new RequestError("invalid_request", `\`${path}\` ${message}.`, { errors: [{ path, message }] });
}
