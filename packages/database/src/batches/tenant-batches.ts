import type { Idempotency } from "../jobs/once.ts";
import type { Database } from "../open-database.ts";
import { BATCH_COLUMNS, type BatchRow } from "./batch-row.ts";
import { cancelBatch } from "./cancel-batch.ts";
import { createBatch, type NewBatch } from "./create-batch.ts";
import { eraseBatch } from "./erase-batch.ts";
import { type BatchResult, readResults } from "./read-results.ts";

export type { BatchResult } from "./read-results.ts";

/** What of a batch is at work now. */
export interface BatchAtWork {
  processing: number;
  /** Sum of their progress, 0 to 100 each. */
  progress: number;
}

export interface StoredUpload {
  id: string;
  storageKey: string;
  sha256: string | null;
  sizeBytes: number;
}

/** What a tenant may do with its own batches. Every statement is bound to the tenant. */
export function tenantBatches(db: Database, tenantId: string) {
  const get = async (id: string): Promise<BatchRow | null> => {
    const { rows } = await db.pool.query<BatchRow>({
      name: "get-batch",
      text: `SELECT ${BATCH_COLUMNS} FROM batches WHERE id = $1 AND tenant_id = $2`,
      values: [id, tenantId],
    });
    return rows[0] ?? null;
  };

  return {
    get,

    create: (batch: NewBatch, idempotency?: Idempotency<BatchRow>): Promise<BatchRow> =>
      createBatch(db, tenantId, batch, idempotency),

    /** Newest first. `before`: the last id of the page before. */
    async list({ limit, before }: { limit: number; before?: string | undefined }): Promise<BatchRow[]> {
      const { rows } = await db.pool.query<BatchRow>(
        `SELECT ${BATCH_COLUMNS} FROM batches WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
        [tenantId, before ?? null, limit],
      );
      return rows;
    },

    /** Of each batch that has jobs at work. */
    async atWork(ids: readonly string[]): Promise<Map<string, BatchAtWork>> {
      const { rows } = await db.pool.query<BatchAtWork & { id: string }>(
        `SELECT batch_id AS id, count(*)::int AS processing, sum(progress) AS progress FROM jobs
         WHERE batch_id = ANY($1::uuid[]) AND tenant_id = $2 AND status = 'processing' GROUP BY batch_id`,
        [ids, tenantId],
      );
      return new Map(rows.map(({ id, ...work }) => [id, work]));
    },

    /** Ends every job of it that has not ended; null where the batch is not the tenant's. */
    async cancel(
      id: string,
    ): Promise<{ outcome: "cancelled" | "was_terminal"; batch: BatchRow; running: string[] } | null> {
      const cancelled = await cancelBatch(db, tenantId, id);
      if (cancelled) return { outcome: "cancelled", ...cancelled };
      const batch = await get(id);
      return batch && { outcome: "was_terminal", batch, running: [] };
    },

    /** With its jobs and all that came of them; see `eraseBatch`. */
    erase: (id: string, removeAudio: (keys: string[]) => Promise<void>): Promise<"erased" | "live" | null> =>
      eraseBatch(db, tenantId, id, removeAudio),

    /** What came of its jobs, in the order of the lines. */
    results: (id: string): AsyncGenerator<BatchResult> => readResults(db, tenantId, id),

    /** Which of these uploads a job may name: stored, and not past their time. */
    async storedUploads(ids: readonly string[]): Promise<Map<string, StoredUpload>> {
      if (ids.length === 0) return new Map();
      const { rows } = await db.pool.query<Omit<StoredUpload, "sizeBytes"> & { sizeBytes: string }>(
        `SELECT id, storage_key AS "storageKey", sha256, size_bytes AS "sizeBytes" FROM uploads
         WHERE tenant_id = $1 AND id = ANY($2::uuid[]) AND state = 'stored' AND expires_at > now()`,
        [tenantId, ids],
      );
      return new Map(rows.map((row) => [row.id, { ...row, sizeBytes: Number(row.sizeBytes) }]));
    },
  };
}

export type TenantBatches = ReturnType<typeof tenantBatches>;
