import type { AccessTokens } from "@scribe/accounts";
import { type Database, findSession, type SessionAccess } from "@scribe/database";
import { isUuid, RequestError } from "@scribe/domain";
import { notFound } from "../http/middleware/render-problem.ts";

/** Whether what was shown has a JWT's form: three parts, the first of which begins an object. */
export function looksLikeToken(shown: string): boolean {
  return shown.startsWith("eyJ") && shown.split(".", 4).length === 3;
}

/**
 * What an access token opens now: its session is read at each request, as keys are, so that whatever ends it ends here at
 * once. `X-Tenant-Id` names another of the user's tenants than the token does.
 */
export async function lookUpSession(
  { db, access }: { db: Database; access: AccessTokens },
  token: string,
  tenantHeader: string | undefined,
): Promise<SessionAccess | RequestError> {
  const claims = access.read(token);
  if (claims === "expired") return unauthorized("This access token has expired.");
  if (claims === "invalid") return unauthorized("This access token is not valid.");
  const wanted = tenantHeader?.trim();
  if (wanted !== undefined && !isUuid(wanted)) return notFound("tenant");
  const found = await findSession(db, { ...claims, tenantId: wanted ?? claims.tenantId });
  if (found === null) return unauthorized("The session of this access token has ended.");
  if (found !== "not a member") return found;
  return wanted === undefined
    ? unauthorized("This access token's tenant is not open to its user.")
    : notFound("tenant");
}

export function unauthorized(message: string): RequestError {
  return new RequestError("unauthorized", message, { headers: { "WWW-Authenticate": "Bearer" } });
}
