import type { Transcript } from "../transcript.ts";
import { renderAssemblyaiWebhook } from "./assemblyai.ts";
import { renderDeepgramCallback } from "./deepgram.ts";
import type { ForeignJob, WebhookFormat } from "./front-door.ts";
import { renderLegacyWebhook } from "./legacy.ts";
import { renderRunpodWebhook } from "./runpod.ts";

type Render = (job: ForeignJob, transcript: Transcript | null) => string | null;

const RENDERERS: Record<Exclude<WebhookFormat, "standard">, Render> = {
  deepgram: renderDeepgramCallback,
  legacy: renderLegacyWebhook,
  assemblyai: renderAssemblyaiWebhook,
  runpod: renderRunpodWebhook,
};

/**
 * The exact text of a delivery as another service's receivers know it, of the job as it is now; null where that service
 * tells nothing at this point.
 */
export function renderForeignWebhook(
  format: Exclude<WebhookFormat, "standard">,
  job: ForeignJob,
  transcript: Transcript | null,
): string | null {
  return RENDERERS[format](job, transcript);
}
