import { z } from "zod";
import { checkNeeds, enhancementFields, MAX_ENHANCED_TEXT } from "./enhancement.ts";
import { httpUrl, safeText } from "./input-text.ts";
import { metadataSchema } from "./job-options.ts";

/** Body of `POST /enhanced-ai`. */
export const enhanceBody = z
  .strictObject({
    transcription_job_id: z.uuid().optional(),
    text: safeText(MAX_ENHANCED_TEXT).regex(/\S/, "must not be empty").optional(),
    ...enhancementFields,
    webhook_url: httpUrl.optional(),
    metadata: metadataSchema.optional(),
  })
  .superRefine((body, context) => {
    if ((body.transcription_job_id === undefined) === (body.text === undefined)) {
      const message = "exactly one of `transcription_job_id` and `text` is needed";
      context.addIssue({ code: "custom", path: ["transcription_job_id"], message });
    }
    checkNeeds(body, context);
  });

export type EnhanceBody = z.output<typeof enhanceBody>;
