import type { Database } from "../open-database.ts";
import { createSecretBox } from "../secret-box.ts";

/** Every column that holds what `SecretBox` made. A test finds those that are missing here. */
export const ENCRYPTED_COLUMNS = [
  { table: "tenants", column: "webhook_secret_encrypted" },
  { table: "tenants", column: "webhook_secret_before_encrypted" },
  { table: "jobs", column: "webhook_secret_encrypted" },
  { table: "batches", column: "webhook_secret_encrypted" },
  { table: "jobs", column: "provider_account_encrypted" },
  { table: "provider_settings", column: "api_key_encrypted" },
  { table: "enhancements", column: "webhook_secret_encrypted" },
  { table: "webhook_deliveries", column: "secret_encrypted" },
  { table: "jobs", column: "webhook_headers_encrypted" },
  { table: "webhook_deliveries", column: "headers_encrypted" },
] as const;

const BATCH = 500;

/**
 * Encrypts every stored secret anew that the key alone cannot read, while the service runs: `db` must have been opened
 * with both keys. A value that changed meanwhile is left: whoever wrote it used the new key.
 *
 * @throws Error where a secret was made with neither key
 */
export async function rotateSecrets(db: Database, key: Buffer): Promise<{ checked: number; rotated: number }> {
  const current = createSecretBox(key);
  const count = { checked: 0, rotated: 0 };
  for (const { table, column } of ENCRYPTED_COLUMNS) {
    let after = "00000000-0000-0000-0000-000000000000";
    for (;;) {
      const { rows } = await db.pool.query<{ id: string; sealed: string }>(
        `SELECT id, ${column} AS sealed FROM ${table} WHERE id > $1 AND ${column} IS NOT NULL ORDER BY id LIMIT $2`,
        [after, BATCH],
      );
      for (const { id, sealed } of rows) {
        count.checked += 1;
        if (reads(current, sealed)) continue;
        const { rowCount } = await db.pool.query(
          `UPDATE ${table} SET ${column} = $3 WHERE id = $1 AND ${column} = $2`,
          [...[id, sealed, current.encrypt(db.secrets.decrypt(sealed))]],
        );
        count.rotated += rowCount ?? 0;
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < BATCH) break;
      after = last.id;
    }
  }
  return count;
}

function reads(box: { decrypt(sealed: string): string }, sealed: string): boolean {
  try {
    box.decrypt(sealed);
    return true;
  } catch {
    return false;
  }
}
