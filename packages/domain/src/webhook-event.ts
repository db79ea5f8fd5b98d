export const WEBHOOK_EVENTS = ["job.started", "job.completed", "job.failed", "job.cancelled"] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** Of a batch, once, when its last job has ended. */
export const BATCH_EVENTS = ["batch.completed", "batch.cancelled"] as const;

export const DEFAULT_WEBHOOK_EVENTS: readonly WebhookEvent[] = ["job.completed", "job.failed", "job.cancelled"];

/** Above this a body leaves the result out and names where to get it. */
export const WEBHOOK_BODY_LIMIT_BYTES = 256 * 1024;
