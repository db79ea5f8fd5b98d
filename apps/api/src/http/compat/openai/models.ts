import { RequestError } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { defineRoute } from "../../../openapi/route.ts";
import { answerSchema } from "../../../openapi/schemas.ts";
import { sendJson } from "../../send-json.ts";

const modelSchema = answerSchema(
  "OpenaiModel",
  z.object({ id: z.string(), object: z.literal("model"), created: z.int(), owned_by: z.string() }),
);

/** Names that its clients ask for by default; others of the same kind are known, too. */
const USUAL = ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize"];

function offered({ models, config, lifecycle }: Api) {
  const ids = new Set([...models.ids, ...config.compat.COMPAT_MODEL_ALIASES.keys(), ...USUAL]);
  const created = Math.floor(lifecycle.startedAtMs / 1000);
  return [...ids].map((id) => ({ id, object: "model" as const, created, owned_by: "scribe-rabbit" }));
}

export const openaiModels = defineRoute({
  method: "get",
  path: "/v1/models",
  operationId: "openaiModels",
  summary: "The models, as OpenAI's API lists them",
  tag: "OpenAI",
  scope: "read",
  query: "anything",
  answers: {
    200: {
      description: "Our own, and the names that stand for them",
      schema: z.object({ object: z.literal("list"), data: z.array(modelSchema) }),
    },
  },
  handle:
    (api) =>
    ({ response }) =>
      sendJson(response, 200, { object: "list", data: offered(api) }),
});

export const openaiModel = defineRoute({
  method: "get",
  path: "/v1/models/{model}",
  operationId: "openaiModel",
  summary: "One model, as OpenAI's API shows it",
  tag: "OpenAI",
  scope: "read",
  query: "anything",
  answers: { 200: { description: "The model", schema: modelSchema } },
  handle:
    (api) =>
    ({ response, params }) => {
      const model = offered(api).find(({ id }) => id === params.model);
      if (!model) {
        throw new RequestError("unknown_model", "There is no such model here.", {
          errors: [{ path: "model", message: "is not one of those that GET /v1/models lists" }],
        });
      }
      sendJson(response, 200, model);
    },
});
