import { audit, createKey, type Database, ensureTenant, findKey } from "@scribe/database";
import { EXAMPLE_KEY, type ParsedKey, parseKey, secretMatches } from "@scribe/domain";

class AdminKeyError extends Error {
  override readonly name = "AdminKeyError";
}

/** The key of `SCRIBE_ADMIN_KEY`; what was configured is never shown. */
export function readAdminKey(text: string | undefined): ParsedKey | null {
  if (text === undefined) return null;
  const key = parseKey(text);
  if (key) return key;
  throw new AdminKeyError(
    `SCRIBE_ADMIN_KEY is not well-formed. A key reads sr_<8 characters>_<32 to 128 characters>, letters and digits, for example ${EXAMPLE_KEY}`,
  );
}

/** The tenant `default`, and the operator's first key for it. Any number of replicas may do this at once. */
export async function ensureAdminKey(
  db: Database,
  { key, webhookSecret }: { key: ParsedKey | null; webhookSecret?: string | undefined },
): Promise<{ defaultTenantId: string }> {
  const tenant = await ensureTenant(db, "default", webhookSecret);
  const known = { defaultTenantId: tenant.id };
  if (key === null || (await holds(db, key))) return known;
  try {
    const scopes = ["transcribe", "manage", "admin"] as const;
    const made = await createKey(db, { tenantId: tenant.id, name: "SCRIBE_ADMIN_KEY", scopes, key });
    const what = { action: "key.created", target: made.id, detail: { scopes, why: "SCRIBE_ADMIN_KEY" } };
    await audit(db, { tenantId: tenant.id, actor: "configuration", ...what });
  } catch (error) {
    // Another replica was quicker.
    if (!(await holds(db, key))) throw error;
  }
  return known;
}

/** Whether this very key is there; one that was revoked stays revoked. */
async function holds(db: Database, key: ParsedKey): Promise<boolean> {
  const row = await findKey(db, key.publicId);
  if (row === null) return false;
  if (secretMatches(key.secret, row.secretHash)) return true;
  throw new AdminKeyError("SCRIBE_ADMIN_KEY has the first part of another key that is in use; choose another.");
}
