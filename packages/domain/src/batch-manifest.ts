import { z } from "zod";
import { httpUrl, safeText } from "./input-text.ts";
import { checkJob, jobFields, metadataSchema, sourceFields } from "./job-options.ts";

/** Jobs of one batch: they are committed in one transaction, of a second or two. */
export const MAX_BATCH_ITEMS = 10_000;

// The batch has the one webhook, and a provider's key is the tenant's: neither can stand in a line.
const {
  webhook_url: _url,
  webhook_events: _events,
  webhook_secret: _secret,
  provider_key: _key,
  provider_base_url: _base,
  ...itemFields
} = jobFields;
const { recording_id: _id, ...defaultFields } = itemFields;

/** One line: a source, and options of its own, which stand above the batch's. */
export const batchItem = z.strictObject({ ...sourceFields, ...itemFields }).superRefine(checkJob);

/** What stands for the whole batch. */
export const batchSettings = z.strictObject({
  defaults: z.strictObject(defaultFields).optional().meta({ description: "Options of every line that has none" }),
  partial: z
    .boolean()
    .optional()
    .meta({ description: "`true`: bad lines are left out; else one bad line refuses the batch" }),
  webhook_url: httpUrl.optional().meta({ description: "Told once, when the last job has ended" }),
  webhook_secret: safeText(256).optional(),
  metadata: metadataSchema.optional(),
});

/** Body of `POST /batches`, for the document: the lines are checked one by one, so that each can be named. */
export const batchBody = z.strictObject({
  ...batchSettings.shape,
  items: z.array(batchItem).min(1).max(MAX_BATCH_ITEMS),
});

export type BatchSettings = z.output<typeof batchSettings>;
export type BatchItemBody = z.output<typeof batchItem>;

export const BATCH_STATUSES = ["processing", "completed", "cancelled"] as const;
export type BatchStatus = (typeof BATCH_STATUSES)[number];
