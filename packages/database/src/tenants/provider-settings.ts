import { type Provider, type ProviderAccount, uuidV7 } from "@scribe/domain";
import type { Database } from "../open-database.ts";

/** A tenant's own account with a provider, without its key. */
export interface ProviderSettingRow {
  provider: Provider;
  baseUrl: string | null;
  /** Those that jobs may name; empty: any. */
  models: string[];
  createdAt: Date;
  updatedAt: Date;
}

export interface ProviderSettingInput {
  apiKey: string;
  baseUrl: string | null;
  models: readonly string[];
}

const COLUMNS = `provider, base_url AS "baseUrl", models, created_at AS "createdAt", updated_at AS "updatedAt"`;

/** A tenant's accounts with providers. Keys go in and are used by workers; nothing shows them. */
export function tenantProviders(db: Database, tenantId: string) {
  return {
    async list(): Promise<ProviderSettingRow[]> {
      const { rows } = await db.pool.query<ProviderSettingRow>(
        `SELECT ${COLUMNS} FROM provider_settings WHERE tenant_id = $1 ORDER BY provider`,
        [tenantId],
      );
      return rows;
    },

    async get(provider: Provider): Promise<ProviderSettingRow | null> {
      const { rows } = await db.pool.query<ProviderSettingRow>(
        `SELECT ${COLUMNS} FROM provider_settings WHERE tenant_id = $1 AND provider = $2`,
        [tenantId, provider],
      );
      return rows[0] ?? null;
    },

    /** Takes the place of what was set before, all of it. */
    async put(provider: Provider, { apiKey, baseUrl, models }: ProviderSettingInput): Promise<ProviderSettingRow> {
      const { rows } = await db.pool.query<ProviderSettingRow>(
        `INSERT INTO provider_settings (id, tenant_id, provider, api_key_encrypted, base_url, models)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, provider) DO UPDATE SET api_key_encrypted = excluded.api_key_encrypted,
           base_url = excluded.base_url, models = excluded.models, updated_at = now()
         RETURNING ${COLUMNS}`,
        [uuidV7(), tenantId, provider, db.secrets.encrypt(apiKey), baseUrl, [...models]],
      );
      return rows[0] as ProviderSettingRow;
    },

    /** False where there was none. */
    async remove(provider: Provider): Promise<boolean> {
      const { rowCount } = await db.pool.query("DELETE FROM provider_settings WHERE tenant_id = $1 AND provider = $2", [
        tenantId,
        provider,
      ]);
      return rowCount === 1;
    },

    /** The account with its key, for the one who asks the provider. */
    async account(provider: Provider): Promise<ProviderAccount | null> {
      const { rows } = await db.pool.query<{ sealed: string; baseUrl: string | null }>(
        `SELECT api_key_encrypted AS sealed, base_url AS "baseUrl" FROM provider_settings
         WHERE tenant_id = $1 AND provider = $2`,
        [tenantId, provider],
      );
      const row = rows[0];
      return row ? { apiKey: db.secrets.decrypt(row.sealed), baseUrl: row.baseUrl ?? undefined } : null;
    },
  };
}

/** What a job carries for its provider; null where its request brought nothing, or the job has ended. */
export function readJobAccount(db: Database, job: { providerAccountEncrypted: string | null }): ProviderAccount | null {
  if (job.providerAccountEncrypted === null) return null;
  return JSON.parse(db.secrets.decrypt(job.providerAccountEncrypted)) as ProviderAccount;
}
