import { audit, type ProviderSettingRow, tenantProviders } from "@scribe/database";
import { httpUrl, isProvider, PROVIDERS, type Provider, providerKey, safeText } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";
import { notFound } from "./middleware/render-problem.ts";
import { checkBaseUrl } from "./prepare-job.ts";
import { refuseLocalOnly } from "./prepare-provider.ts";
import { sendJson } from "./send-json.ts";

const PATH = "/api/v1/providers/{name}";

const models = z
  .array(safeText(128).min(1))
  .max(100)
  .meta({ description: "Those that jobs may name, the default first; empty: any" });

const settingBody = requestSchema(
  "ProviderSetting",
  z.strictObject({
    api_key: providerKey.meta({ description: "Kept encrypted, and never shown" }),
    base_url: httpUrl.optional().meta({ description: "Of an OpenAI-compatible server; absent: the usual address" }),
    models: models.optional(),
  }),
);

const settingSchema = answerSchema(
  "ProviderSettingView",
  z.object({
    name: z.enum(PROVIDERS),
    base_url: z.string().nullable(),
    models,
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  }),
);

export const putProvider = defineRoute({
  method: "put",
  path: PATH,
  operationId: "putProvider",
  summary: "Set the tenant's own account with a provider of transcription",
  description: "`openai` or `assemblyai`. Takes the place of what was set before, all of it.",
  tag: "Providers",
  scope: "manage",
  body: { kind: "json", schema: settingBody },
  answers: { 200: { description: "What is set, without the key", schema: settingSchema } },
  handle:
    (api) =>
    async ({ request, response, caller, params, body }) => {
      refuseIdempotencyKey(request);
      const provider = providerFrom(params);
      refuseLocalOnly(api, "name");
      const { api_key: apiKey, base_url: baseUrl, models = [] } = body;
      if (baseUrl !== undefined) checkBaseUrl(api, "base_url", baseUrl);
      const row = await tenantProviders(api.db, caller.tenantId).put(provider, {
        apiKey,
        baseUrl: baseUrl ?? null,
        models: [...new Set(models)],
      });
      await audit(api.db, {
        tenantId: caller.tenantId,
        actor: caller.publicId,
        action: "provider.set",
        target: provider,
        address: request.ip,
      });
      sendJson(response, 200, toView(row));
    },
});

export const getProvider = defineRoute({
  method: "get",
  path: PATH,
  operationId: "getProvider",
  summary: "The tenant's own account with a provider, without its key",
  tag: "Providers",
  scope: "manage",
  answers: { 200: { description: "What is set", schema: settingSchema } },
  handle:
    ({ db }) =>
    async ({ response, caller, params }) => {
      const row = await tenantProviders(db, caller.tenantId).get(providerFrom(params));
      if (!row) throw notFound("provider");
      sendJson(response, 200, toView(row));
    },
});

export const deleteProvider = defineRoute({
  method: "delete",
  path: PATH,
  operationId: "deleteProvider",
  summary: "Forget the tenant's own account with a provider, and its key",
  description: "Jobs that wait for it are asked for with the operator's key, or fail where there is none.",
  tag: "Providers",
  scope: "manage",
  answers: { 204: { description: "It is forgotten" } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, params }) => {
      const provider = providerFrom(params);
      if (!(await tenantProviders(db, caller.tenantId).remove(provider))) throw notFound("provider");
      await audit(db, {
        tenantId: caller.tenantId,
        actor: caller.publicId,
        action: "provider.removed",
        target: provider,
        address: request.ip,
      });
      response.status(204).end();
    },
});

function providerFrom({ name = "" }: Record<string, string>): Provider {
  if (isProvider(name)) return name;
  throw notFound("provider");
}

function toView(row: ProviderSettingRow): z.output<typeof settingSchema> {
  return {
    name: row.provider,
    base_url: row.baseUrl,
    models: row.models,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
