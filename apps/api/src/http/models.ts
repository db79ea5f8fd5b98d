import type { Config } from "@scribe/config";
import { modelLoads, type ProviderSettingRow, tenantProviders } from "@scribe/database";
import { PROVIDER_NAMES, PROVIDERS } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { sendJson } from "./send-json.ts";

const modelList = answerSchema(
  "ModelList",
  z.object({
    models: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        engine: z.string(),
        language: z.string().nullable().meta({ description: "The only language it knows, or null" }),
        description: z.string(),
        aliases: z.array(z.string()),
        loaded_on: z.int().meta({ description: "Workers that hold it in memory now" }),
        default: z.boolean(),
      }),
    ),
  }),
);

/** Whisper's one-language models are named so by their makers. */
const ENGLISH_ONLY = /[.-]en$/;

export const listModels = defineRoute({
  method: "get",
  path: "/api/v1/models",
  operationId: "listModels",
  summary: "The models that a job may name",
  tag: "Models",
  scope: "read",
  answers: { 200: { description: "The models", schema: modelList } },
  handle:
    ({ db, models, config }) =>
    async ({ response, caller }) => {
      const loads = await modelLoads(db);
      const onnx = models.ids.map((id) => ({
        id,
        name: id,
        engine: "onnx",
        language: ENGLISH_ONLY.test(id) ? "en" : null,
        description: ENGLISH_ONLY.test(id) ? "Speech recognition for English" : "Speech recognition",
        aliases: [...models.aliases].filter(([, of]) => of === id).map(([alias]) => alias),
        loaded_on: loads.get(id) ?? 0,
        default: id === models.defaultId,
      }));
      const hosted = hostedModels(config, await tenantProviders(db, caller.tenantId).list());
      sendJson(response, 200, { models: [...onnx, ...hosted] });
    },
});

/** Of providers for whom the tenant or the operator has a key; the first is what `engine` alone means. */
function hostedModels({ providers }: Config, settings: readonly ProviderSettingRow[]) {
  if (providers.LOCAL_ONLY) return [];
  const operators = {
    openai: { key: providers.OPENAI_API_KEY, models: providers.OPENAI_MODELS },
    assemblyai: { key: providers.ASSEMBLYAI_API_KEY, models: providers.ASSEMBLYAI_MODELS },
  };
  return PROVIDERS.flatMap((engine) => {
    const setting = settings.find(({ provider }) => provider === engine);
    const { key, models } = operators[engine];
    if (setting === undefined && key === undefined) return [];
    return (setting?.models.length ? setting.models : models).map((id) => ({
      ...{ id, name: id, engine, language: null, description: `Asked of ${PROVIDER_NAMES[engine]}` },
      ...{ aliases: [], loaded_on: 0, default: false },
    }));
  });
}
