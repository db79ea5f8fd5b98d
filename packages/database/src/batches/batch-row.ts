import type { FieldProblem } from "@scribe/domain";

/** A line of a manifest that was left out, and why. */
export interface RefusedLine {
  line: number;
  errors: FieldProblem[];
}

export interface BatchRow {
  id: string;
  tenantId: string;
  /** Jobs that were accepted; of them so many have ended, each way. */
  total: number;
  completed: number;
  failed: number;
  cancelled: number;
  refused: RefusedLine[];
  metadata: Record<string, unknown>;
  webhookUrl: string | null;
  webhookSecretEncrypted: string | null;
  traceparent: string | null;
  createdAt: Date;
  updatedAt: Date;
  /** When somebody asked for it to stop. */
  cancelledAt: Date | null;
  endedAt: Date | null;
}

/** The select list of a `BatchRow`; `batches` must be named so in the statement. */
export const BATCH_COLUMNS = [
  ...["id", "tenant_id", "total", "completed", "failed", "cancelled", "refused", "metadata", "webhook_url"],
  ...["webhook_secret_encrypted", "traceparent", "created_at", "updated_at", "cancelled_at", "ended_at"],
]
  .map((column) => `batches.${column} AS "${column.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())}"`)
  .join(", ");
