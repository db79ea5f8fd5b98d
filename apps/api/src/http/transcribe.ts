import { transcribeBody } from "@scribe/domain";
import { defineRoute } from "../openapi/route.ts";
import { requestSchema } from "../openapi/schemas.ts";
import { accepted, acceptedAnswers } from "./accepted-view.ts";
import { creating, fingerprint, readIdempotencyKey } from "./idempotency.ts";
import { openSource } from "./open-source.ts";
import { checkUrl, prepareJob } from "./prepare-job.ts";
import { providerKeyHeader } from "./prepare-provider.ts";
import { submitJob } from "./submit-job.ts";

const PATH = "/api/v1/transcribe";

export const transcribe = defineRoute({
  method: "post",
  path: PATH,
  operationId: "transcribe",
  summary: "Transcribe what a URL or an upload holds",
  description: "The job is committed when this answers. Exactly one of `url` and `upload_id` is needed.",
  tag: "Jobs",
  scope: "transcribe",
  headers: {
    "Idempotency-Key": "The same key and input within 24 hours get the first answer again",
    ...providerKeyHeader,
  },
  body: { kind: "json", schema: requestSchema("TranscribeRequest", transcribeBody) },
  answers: acceptedAnswers,
  handle:
    (api) =>
    async ({ request, response, caller, body }) => {
      const key = readIdempotencyKey(request);
      const { url, upload_id, ...fields } = body;
      const respond = accepted.bind(null, api);
      await creating(api, caller, { route: PATH, key, respond }, response, (commit) =>
        commit(
          () => fingerprint(body),
          async (idempotency) => {
            // Behind the look for an earlier answer: what that was given for may be gone by now.
            const prepared = await prepareJob(api, caller, request, fields);
            if (url !== undefined) checkUrl(api, "url", url);
            const { opened } = await openSource(api, caller, body);
            return await submitJob(api, caller, { ...prepared, ...opened }, idempotency);
          },
        ),
      );
    },
});
