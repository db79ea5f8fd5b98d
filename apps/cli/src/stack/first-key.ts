import { join } from "node:path";
import { audit, createKey, type Database, ensureTenant, findKey, listKeys } from "@scribe/database";
import { parseKey, SCOPES, secretMatches } from "@scribe/domain";
import { readSecret, replaceSecret } from "./keep-secret.ts";

export const DEFAULT_TENANT = "default";

/** A key that may be shown, or null where there are keys and none that we know. */
export type ShownKey = { key: string; made: boolean } | null;

/**
 * The key that `npm start` prints. Embedded: a development key with all scopes, kept under SCRIBE_DATA_DIR (0600) and
 * made anew where it was revoked, ran out or belongs to another database. With a database of your own: made and shown
 * once, when the default tenant has no key at all, and kept nowhere.
 */
export async function firstKey(
  db: Database,
  o: { embedded: boolean; dataDir: string; webhookSecret: string | undefined; adminKeyIsSet: boolean },
): Promise<ShownKey> {
  const tenant = await ensureTenant(db, DEFAULT_TENANT, o.webhookSecret);
  const make = async (name: string) => {
    const made = await createKey(db, { tenantId: tenant.id, name, scopes: [...SCOPES] });
    const detail = { scopes: [...SCOPES], why: name };
    await audit(db, { tenantId: tenant.id, actor: "cli", action: "key.created", target: made.id, detail });
    return { key: made.key, made: true };
  };
  if (!o.embedded) {
    if (o.adminKeyIsSet || (await listKeys(db, tenant.id)).length > 0) return null;
    return make("first start");
  }
  const file = join(o.dataDir, "local-key");
  const kept = readSecret(file);
  if (kept !== null && (await isGood(db, kept))) return { key: kept, made: false };
  const made = await make("local development");
  replaceSecret(file, made.key);
  return made;
}

async function isGood(db: Database, key: string): Promise<boolean> {
  const parsed = parseKey(key);
  const row = parsed && (await findKey(db, parsed.publicId));
  if (!row || !secretMatches(parsed.secret, row.secretHash) || row.revokedAt || row.tenantDisabled) return false;
  return row.expiresAt === null || row.expiresAt.getTime() > Date.now();
}
