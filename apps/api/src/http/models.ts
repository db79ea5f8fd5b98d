import { modelLoads } from "@scribe/database";
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
    ({ db, models }) =>
    async ({ response }) => {
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
      sendJson(response, 200, { models: onnx });
    },
});
