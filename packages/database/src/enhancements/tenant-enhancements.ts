import type { JobStatus } from "@scribe/domain";
import type { PoolClient } from "pg";
import { type Idempotency, once } from "../jobs/once.ts";
import { type Database, inTransaction } from "../open-database.ts";
import { OPEN_LOCKS, TooManyOpen } from "../tenants/too-many-open.ts";
import { cancelEnhancement } from "./end-enhancement.ts";
import { ENHANCEMENT_COLUMNS, type EnhancementRow } from "./enhancement-row.ts";
import { eraseEnhancement } from "./erase-enhancement.ts";
import { insertEnhancement, type NewEnhancement } from "./insert-enhancement.ts";

export interface EnhancementFilter {
  limit: number;
  /** The last id of the page before: ids rise with time. */
  before?: string | undefined;
  status?: JobStatus | undefined;
  jobId?: string | undefined;
}

/** The job whose transcript was to be enhanced has none (yet). */
export class NoTranscript extends Error {
  override readonly name = "NoTranscript";
}

/** One version of what was made of a job's transcript. */
export interface EnhancementLink {
  id: string;
  version: number;
  status: JobStatus;
}

export interface WantedEnhancement extends Omit<NewEnhancement, "webhookSecretEncrypted"> {
  /** Enhancements that the tenant may have at once which have not ended. */
  mostOpen?: number | undefined;
}

/** What a tenant may do with its own enhancements: every statement is bound to the tenant. */
export function tenantEnhancements(db: Database, tenantId: string) {
  return {
    /** @throws NoTranscript, TooManyOpen, IdempotencyRace, IdempotencyBusy */
    async create(given: WantedEnhancement, idempotency?: Idempotency<EnhancementRow>): Promise<EnhancementRow> {
      const { mostOpen, ...wanted } = given;
      const work = async (client: PoolClient) => {
        if (mostOpen !== undefined) await refuseMore(client, tenantId, mostOpen);
        if (wanted.jobId !== null) await lockTranscript(client, tenantId, wanted.jobId);
        return await insertEnhancement(client, tenantId, { ...wanted, webhookSecretEncrypted: null });
      };
      return idempotency ? await once(db, tenantId, idempotency, work) : await inTransaction(db, work);
    },

    async get(id: string): Promise<EnhancementRow | null> {
      const { rows } = await db.pool.query<EnhancementRow>(
        `SELECT ${ENHANCEMENT_COLUMNS} FROM enhancements WHERE id = $1 AND tenant_id = $2`,
        [id, tenantId],
      );
      return rows[0] ?? null;
    },

    /** Newest first. */
    async list({ limit, before, status, jobId }: EnhancementFilter): Promise<EnhancementRow[]> {
      const { rows } = await db.pool.query<EnhancementRow>(
        `SELECT ${ENHANCEMENT_COLUMNS} FROM enhancements
         WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2) AND ($3::job_status IS NULL OR status = $3)
           AND ($4::uuid IS NULL OR job_id = $4) ORDER BY id DESC LIMIT $5`,
        [tenantId, before ?? null, status ?? null, jobId ?? null, limit],
      );
      return rows;
    },

    /** Null where it is not the tenant's. */
    async cancel(id: string): Promise<{ outcome: "cancelled" | "was_terminal"; row: EnhancementRow } | null> {
      const cancelled = await cancelEnhancement(db, tenantId, id);
      if (cancelled) return { outcome: "cancelled", row: cancelled };
      const row = await this.get(id);
      return row && { outcome: "was_terminal", row };
    },

    erase: (id: string): Promise<{ tenantId: string } | "live" | null> =>
      inTransaction(db, (client) => eraseEnhancement(client, id, tenantId)),
  };
}

/** Versions count one after the other, and an erasure waits or finds this one. */
async function lockTranscript(client: PoolClient, tenantId: string, jobId: string): Promise<void> {
  const { rows } = await client.query<{ status: JobStatus }>(
    "SELECT status FROM jobs WHERE id = $1 AND tenant_id = $2 FOR NO KEY UPDATE",
    [jobId, tenantId],
  );
  if (rows[0]?.status !== "completed") throw new NoTranscript(rows[0] ? "The job is not completed." : "No such job.");
}

async function refuseMore(client: PoolClient, tenantId: string, mostOpen: number): Promise<void> {
  await client.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [OPEN_LOCKS.enhancements, tenantId]);
  const { rowCount } = await client.query(
    "SELECT 1 FROM enhancements WHERE tenant_id = $1 AND status IN ('pending', 'processing') LIMIT $2",
    [tenantId, mostOpen],
  );
  if ((rowCount ?? 0) >= mostOpen) throw new TooManyOpen("enhancements", mostOpen);
}
