import type { NewJob } from "@scribe/database";
import {
  isProvider,
  RequestError,
  type TranscriptionOptions,
  toJobRequest,
  type UploadFields,
  WEBHOOK_EVENTS,
} from "@scribe/domain";
import { assertUrlAllowed, OutboundError } from "@scribe/outbound";
import { isWebhookSecret } from "@scribe/webhooks";
import type { Request } from "express";
import type { Api } from "../api.ts";
import { requireChat } from "../enhancement-offer.ts";
import { chooseModel } from "../model-offer.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { prepareProvider, refuseStrayAccount } from "./prepare-provider.ts";
import { type Named, readNamed } from "./read-named.ts";

export type PreparedJob = Omit<NewJob, "source" | "audioSeconds">;

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What can be refused before there is audio: model, engine, webhook. Throws 400 naming the field. */
export async function prepareJob(
  api: Api,
  caller: Caller,
  request: Request,
  fields: UploadFields,
): Promise<PreparedJob> {
  return prepareNamed(api, caller, request, { fields, named: await readNamed(api, caller, fields) });
}

/** As `prepareJob`, of options whose names were looked up already. */
export function prepareNamed(
  api: Api,
  caller: Caller,
  request: Request,
  { fields, named }: { fields: UploadFields; named: Named },
): PreparedJob {
  const job = toJobRequest(fields);
  if (job.engine === "synthetic" && !api.config.http.SCRIBE_ENABLE_SYNTHETIC) {
    throw wrongField("engine", "`synthetic` is not enabled here");
  }
  const options = withLexicon(job.options, named);
  const provider = isProvider(job.engine) ? prepareProvider(api, request, job.engine, job, named.setting) : null;
  if (provider === null) refuseStrayAccount(request, job);
  const baseUrl = provider?.account?.baseUrl;
  if (baseUrl !== undefined) checkBaseUrl(api, "provider_base_url", baseUrl);
  if (job.webhookUrl !== undefined) checkUrl(api, "webhook_url", job.webhookUrl);
  if (job.webhookSecret !== undefined && !isWebhookSecret(job.webhookSecret)) {
    throw wrongField("webhook_secret", "must be `whsec_` and the base64 of 24 to 64 bytes");
  }
  if (job.options.enhance !== undefined) {
    requireChat(api.config);
    const { webhook_url: enhanceUrl } = job.options.enhance;
    if (enhanceUrl !== undefined) checkUrl(api, "enhance.webhook_url", enhanceUrl);
  }
  const format = job.webhookUrl === undefined ? null : (caller.webhookFormat ?? api.config.outbound.WEBHOOK_FORMAT);
  const maxBytes = api.config.limits.MAX_METADATA_BYTES;
  if (Buffer.byteLength(JSON.stringify(job.metadata)) > maxBytes) {
    throw wrongField("metadata", `must be at most ${maxBytes} bytes of JSON`);
  }
  return {
    apiKeyId: caller.keyId,
    allowance: caller.limits.allowance,
    engine: job.engine,
    model: provider?.model ?? chooseModel(api.models, job.model),
    providerAccount: provider?.account,
    options: baseUrl === undefined ? options : { ...options, provider_address: baseUrl },
    priority: job.priority,
    recordingId: job.recordingId,
    metadata: job.metadata,
    webhookUrl: job.webhookUrl,
    // Older receivers are told of the start, too.
    webhookEvents: format === "legacy" ? (fields.webhook_events ?? WEBHOOK_EVENTS) : job.webhookEvents,
    webhookSecret: job.webhookSecret ?? (format === "legacy" ? api.legacySecretOf(caller.tenantId) : undefined),
    ...(format === "legacy" ? { frontDoor: { door: "legacy", webhook: "legacy" } } : {}),
    traceparent: readTraceparent(request),
  };
}

/** The W3C trace context of a request, where it has one. */
export function readTraceparent(request: Request): string | undefined {
  const given = request.get("traceparent");
  return given !== undefined && TRACEPARENT.test(given) ? given : undefined;
}

/** Names the version that stands now: a lexicon that is edited later changes no job that was accepted before. */
function withLexicon(options: TranscriptionOptions, { lexicon }: Named): TranscriptionOptions {
  if (options.lexicon === undefined) return options;
  if (lexicon === null) throw wrongField("lexicon", `there is no lexicon "${options.lexicon}"`);
  return { ...options, lexicon_version: { id: lexicon.id, version: lexicon.version } };
}

/** An address that is plainly inside is refused at once; a name that turns out to be ends the job, or the delivery. */
export function checkUrl({ outboundPolicy }: Api, field: string, url: string): void {
  try {
    assertUrlAllowed(url, outboundPolicy);
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    throw new RequestError("url_not_allowed", error.message, {
      errors: [{ path: field, message: "names an address that may not be reached" }],
      cause: error,
    });
  }
}

/** An address that a client library puts its paths behind. */
export function checkBaseUrl(api: Api, field: string, url: string): void {
  const { search, hash } = new URL(url);
  if (search !== "" || hash !== "") throw wrongField(field, "must have neither a query nor a fragment");
  checkUrl(api, field, url);
}

export function wrongField(path: string, message: string): RequestError {
  return new RequestError("invalid_request", `\`${path}\`: ${message}.`, { errors: [{ path, message }] });
}
