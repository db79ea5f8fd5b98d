import { setImmediate as otherWork } from "node:timers/promises";
import { type BatchItem, type NewBatch, type RefusedLine, tenantBatches, tenantJobs } from "@scribe/database";
import { type BatchItemBody, batchItem, isUuid, RequestError, type RequestErrorCode } from "@scribe/domain";
import { isWebhookSecret } from "@scribe/webhooks";
import type { Request } from "express";
import type { Api } from "../api.ts";
import { audioSecondsOfUpload } from "./audio-seconds.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { checkInput } from "./middleware/read-json.ts";
import { checkUrl, prepareNamed, readTraceparent, wrongField } from "./prepare-job.ts";
import type { Manifest } from "./read-manifest.ts";
import { readAllNamed } from "./read-named.ts";

/** Lines that are checked before others get their turn: some milliseconds. */
const AT_A_TIME = 100;

/** Problems that a refusal names. */
const MAX_SHOWN = 100;

interface Checked {
  line: number;
  fields: BatchItemBody;
  item: Omit<BatchItem, "source" | "audioSeconds" | "line">;
}

interface Refusal extends RefusedLine {
  code: RequestErrorCode;
}

/**
 * Checks a manifest line by line, as each would be checked as a job of its own.
 *
 * @throws RequestError that names bad lines by their number, where there is one and `partial` does not allow it, or where
 * no line is good
 */
export async function prepareBatch(
  api: Api,
  caller: Caller,
  request: Request,
  { settings, lines }: Manifest,
): Promise<NewBatch> {
  const { webhook_url: webhookUrl, webhook_secret: webhookSecret } = settings;
  if (webhookUrl !== undefined) checkUrl(api, "webhook_url", webhookUrl);
  if (webhookSecret !== undefined && !isWebhookSecret(webhookSecret)) {
    throw wrongField("webhook_secret", "must be `whsec_` and the base64 of 24 to 64 bytes");
  }
  const namedBy = await readAllNamed(api, caller);
  const refused: Refusal[] = [];
  const checked: Checked[] = [];
  for (const [index, { line, ...read }] of lines.entries()) {
    if (index % AT_A_TIME === AT_A_TIME - 1) await otherWork();
    try {
      if ("malformed" in read) throw new RequestError("invalid_request", read.malformed);
      const { input } = read;
      if (input === null || typeof input !== "object" || Array.isArray(input)) {
        throw new RequestError("invalid_request", "must be an object");
      }
      const { url, upload_id, ...fields } = checkInput({ ...settings.defaults, ...input }, batchItem);
      if (url !== undefined) checkUrl(api, "url", url);
      const job = prepareNamed(api, caller, request, { fields, named: namedBy(fields) });
      const { engine, model, options, priority, recordingId, metadata, providerAccount } = job;
      const item = { engine, model, options, priority, recordingId, metadata, providerAccount };
      checked.push({ line, fields: { url, upload_id, ...fields }, item });
    } catch (error) {
      refused.push(toRefusal(line, error));
    }
  }
  const items = await findSources(api, caller, checked, refused);
  refused.sort((a, b) => a.line - b.line);
  if (refused.length > 0 && (settings.partial !== true || items.length === 0)) throw refuse(refused);
  return {
    apiKeyId: caller.keyId,
    allowance: caller.limits.allowance,
    metadata: settings.metadata ?? {},
    webhookUrl,
    webhookSecret,
    traceparent: readTraceparent(request),
    items,
    refused: refused.map(({ line, errors }) => ({ line, errors })),
  };
}

/** Uploads are looked up all at once; a line whose upload is not there is refused. */
async function findSources(
  { db, estimateAudioSeconds }: Api,
  { tenantId }: Caller,
  checked: readonly Checked[],
  refused: Refusal[],
): Promise<BatchItem[]> {
  const ids = checked.flatMap(({ fields }) => (isUuid(fields.upload_id ?? "") ? [fields.upload_id as string] : []));
  const uploads = await tenantBatches(db, tenantId).storedUploads(ids);
  const usualSeconds = await estimateAudioSeconds(tenantId, tenantJobs(db, tenantId));
  const items: BatchItem[] = [];
  for (const { line, fields, item } of checked) {
    const { url, upload_id: uploadId } = fields;
    const upload = uploads.get(uploadId?.toLowerCase() ?? "");
    if (url !== undefined) items.push({ line, ...item, source: { kind: "url", url }, audioSeconds: usualSeconds });
    else if (upload === undefined) {
      refused.push({
        line,
        code: "not_found",
        errors: [{ path: "upload_id", message: "names no upload that is here" }],
      });
    } else {
      items.push({
        line,
        ...item,
        source: { kind: "upload", uploadId: upload.id },
        audioSeconds: audioSecondsOfUpload(upload.sizeBytes),
        audioKey: upload.storageKey,
        audioBytes: upload.sizeBytes,
        ...(upload.sha256 === null ? {} : { audioSha256: upload.sha256 }),
      });
    }
  }
  return items;
}

function toRefusal(line: number, error: unknown): Refusal {
  if (!(error instanceof RequestError)) throw error;
  return { line, code: error.code, errors: error.errors ?? [{ path: "", message: error.message }] };
}

/** Names the lines; the code is the first one's. */
function refuse(refused: readonly Refusal[]): RequestError {
  const errors = refused
    .flatMap(({ line, errors: found }) =>
      found.map(({ path, message }) => ({ path: path === "" ? `lines.${line}` : `lines.${line}.${path}`, message })),
    )
    .slice(0, MAX_SHOWN);
  const first = refused[0] as Refusal;
  const problem = first.errors[0];
  const what = problem?.path ? `\`${problem.path}\` ${problem.message}` : (problem?.message ?? "is wrong");
  const others = refused.length === 1 ? "" : ` ${refused.length - 1} other lines are bad, too.`;
  const message = `Line ${first.line}: ${what}.${others} Nothing was started.`;
  return new RequestError(first.code, message, { errors });
}
