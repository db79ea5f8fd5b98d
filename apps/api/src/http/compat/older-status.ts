import type { JobRow } from "@scribe/database";
import type { JobStatus } from "@scribe/domain";

export const OLDER_STATUSES = ["queued", "processing", "completed", "failed"] as const;
type OlderStatus = (typeof OLDER_STATUSES)[number];

const STATUS_OF = {
  pending: "queued",
  processing: "processing",
  completed: "completed",
  failed: "failed",
  cancelled: "failed",
} as const satisfies Record<JobStatus, OlderStatus>;

/** A job's status as the older services of the house had it. */
export function olderStatus({ status }: Pick<JobRow, "status">): OlderStatus {
  return STATUS_OF[status];
}

/** Why a job has failed in their sense; null where it has not. */
export function whyFailed({ status, error }: Pick<JobRow, "status" | "error">): string | null {
  if (STATUS_OF[status] !== "failed") return null;
  return error?.message ?? (status === "cancelled" ? "The job was cancelled." : "Something went wrong on our side.");
}
