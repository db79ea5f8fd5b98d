import { type ProviderSettingRow, tenantProviders } from "@scribe/database";
import {
  isProvider,
  type JobRequest,
  notCarriedOut,
  PROVIDER_NAMES,
  type Provider,
  type ProviderAccount,
  providerKey,
  RequestError,
} from "@scribe/domain";
import type { Request } from "express";
import type { Api } from "../api.ts";
import type { Caller } from "./middleware/authenticate.ts";

const PROVIDER_KEY_HEADER = "X-Provider-Key";

/** For the documents of the routes that take it. */
export const providerKeyHeader = {
  [PROVIDER_KEY_HEADER]: "Key for the provider of `engine`, for this job alone; kept, encrypted, until the job ends",
} as const;

export interface PreparedProvider {
  model: string;
  account: ProviderAccount | undefined;
}

const MODEL = /^[\w.:/@-]{1,128}$/;

/** The tenant's own account with the provider of an engine; null where it has none, or the engine needs none. */
export async function readProviderSetting(
  { db }: Api,
  { tenantId }: Caller,
  engine: string | undefined,
): Promise<ProviderSettingRow | null> {
  return engine !== undefined && isProvider(engine) ? await tenantProviders(db, tenantId).get(engine) : null;
}

/**
 * What can be refused of a job that somebody else transcribes, before there is audio. Throws 400 naming the field, or
 * the setting that is missing.
 */
export function prepareProvider(
  api: Api,
  request: Request,
  provider: Provider,
  job: JobRequest,
  setting: ProviderSettingRow | null,
): PreparedProvider {
  refuseLocalOnly(api, "engine");
  const [first, ...more] = notCarriedOut(provider, job.options);
  if (first !== undefined) {
    const message = `is not available with the engine ${provider}`;
    const errors = [first, ...more].map((path) => ({ path, message }));
    throw new RequestError("invalid_request", `\`${first}\` ${message}.`, { errors });
  }
  const account = readAccount(request, provider, job);
  requireKey(api, provider, account, setting);
  return { model: chooseProviderModel(api, provider, job.model, account, setting), account };
}

/** A key that would be kept for nothing. */
export function refuseStrayAccount(request: Request, job: JobRequest): void {
  const path =
    job.providerKey !== undefined
      ? "provider_key"
      : job.providerBaseUrl !== undefined
        ? "provider_base_url"
        : request.get(PROVIDER_KEY_HEADER) !== undefined
          ? PROVIDER_KEY_HEADER
          : undefined;
  if (path !== undefined) throw wrong(path, "is for `engine: openai` and `engine: assemblyai`");
}

/** Refuses what would send audio or text to somebody else. */
export function refuseLocalOnly({ config }: Api, path: string): void {
  if (config.providers.LOCAL_ONLY)
    throw wrong(path, "is refused: LOCAL_ONLY is set here, and nothing is sent to others");
}

/** A request's key without a job around it. */
export function readKeyHeader(request: Request): string | undefined {
  const key = request.get(PROVIDER_KEY_HEADER);
  if (key === undefined || providerKey.safeParse(key).success) return key;
  throw wrong(PROVIDER_KEY_HEADER, "must be 1 to 512 visible ASCII characters");
}

/** Of a retry whose job named an address of its own. */
export function requiredKey(): RequestError {
  return wrong(PROVIDER_KEY_HEADER, "is needed: the job named an address of its own");
}

export function requireKey(
  { config: { providers } }: Api,
  provider: Provider,
  account: ProviderAccount | undefined,
  setting: ProviderSettingRow | null,
): void {
  const operators = { openai: providers.OPENAI_API_KEY, assemblyai: providers.ASSEMBLYAI_API_KEY }[provider];
  if (account !== undefined || setting !== null || operators !== undefined) return;
  const ways = `send ${PROVIDER_KEY_HEADER}, or PUT /api/v1/providers/${provider}`;
  throw wrong(
    "engine",
    `has no key for ${PROVIDER_NAMES[provider]}: ${ways}; ${provider.toUpperCase()}_API_KEY is not set here`,
  );
}

function readAccount(request: Request, provider: Provider, job: JobRequest): ProviderAccount | undefined {
  const header = readKeyHeader(request);
  const { providerKey: field, providerBaseUrl: baseUrl } = job;
  if (header !== undefined && field !== undefined)
    throw wrong("provider_key", `stands in ${PROVIDER_KEY_HEADER} already`);
  const apiKey = header ?? field;
  if (baseUrl === undefined) return apiKey === undefined ? undefined : { apiKey };
  if (provider !== "openai") throw wrong("provider_base_url", "is for `engine: openai`");
  // No key of the operator's, or of the tenant's settings, goes to an address that a request names.
  if (apiKey === undefined) throw wrong("provider_base_url", "needs a key of the request's own");
  return { apiKey, baseUrl };
}

/** A model that the tenant's list allows, or, with the operator's key, the operator's. */
function chooseProviderModel(
  { config: { providers } }: Api,
  provider: Provider,
  asked: string | undefined,
  account: ProviderAccount | undefined,
  setting: ProviderSettingRow | null,
): string {
  const operators = { openai: providers.OPENAI_MODELS, assemblyai: providers.ASSEMBLYAI_MODELS }[provider];
  const own = account !== undefined || setting !== null;
  const allowed = setting !== null && setting.models.length > 0 ? setting.models : own ? [] : operators;
  const model = asked ?? allowed[0] ?? operators[0] ?? { openai: "whisper-1", assemblyai: "universal" }[provider];
  if (MODEL.test(model) && (allowed.length === 0 || allowed.includes(model))) return model;
  const message = allowed.length > 0 ? `must be one of: ${allowed.join(", ")}` : "is no name of a model";
  throw new RequestError("unknown_model", "There is no such model with this engine here.", {
    errors: [{ path: "model", message }],
  });
}

function wrong(path: string, message: string): RequestError {
  return new RequestError("invalid_request", `\`${path}\` ${message}.`, { errors: [{ path, message }] });
}
