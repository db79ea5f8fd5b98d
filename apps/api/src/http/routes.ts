import type { Route } from "../openapi/route.ts";
import { docs, docsScript } from "./docs.ts";
import { getEvents } from "./events.ts";
import { health, ready } from "./health.ts";
import { cancelJob, deleteJob, getJob, listJobs } from "./jobs.ts";
import { deleteKey, getKeys, postKey } from "./keys.ts";
import { metrics } from "./metrics.ts";
import { listModels } from "./models.ts";
import { openapiRoute } from "./openapi.ts";
import { transcribe } from "./transcribe.ts";
import { getTranscript } from "./transcript.ts";
import { upload } from "./upload.ts";
import { getWebhookSecret, listDeliveries } from "./webhooks.ts";

/** Everything that the API answers, in the order in which the document shows it. */
export const routes: readonly Route[] = [
  transcribe,
  upload,
  listJobs,
  getJob,
  deleteJob,
  cancelJob,
  getTranscript,
  getEvents,
  listModels,
  getWebhookSecret,
  listDeliveries,
  postKey,
  getKeys,
  deleteKey,
  health,
  ready,
  metrics,
  openapiRoute(() => routes),
  docs,
  docsScript,
];
