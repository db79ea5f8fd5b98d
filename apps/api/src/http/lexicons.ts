import { audit, type LexiconRow, tenantLexicons } from "@scribe/database";
import { LEXICON_NAME, type LexiconContent, lexiconContent, RequestError } from "@scribe/domain";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../api.ts";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { notFound } from "./middleware/render-problem.ts";
import { sendJson } from "./send-json.ts";

const time = z.iso.datetime();
const summary = { name: z.string(), version: z.int(), created_at: time, updated_at: time } as const;
const lexiconSchema = answerSchema(
  "Lexicon",
  z.object({
    ...summary,
    rules: z.array(z.object({ find: z.string(), replace: z.string() })),
    hotwords: z.array(z.string()),
  }),
);
const lexiconList = answerSchema("LexiconList", z.object({ data: z.array(z.object(summary)) }));

const createBody = requestSchema(
  "CreateLexicon",
  lexiconContent.safeExtend({
    name: z.string().regex(LEXICON_NAME, "must be letters, digits, `.`, `_` and `-`, 128 at most"),
  }),
);
const replaceBody = requestSchema("ReplaceLexicon", lexiconContent);

export const postLexicon = defineRoute({
  method: "post",
  path: "/api/v1/lexicons",
  operationId: "createLexicon",
  summary: "Make a word list that jobs can name",
  tag: "Lexicons",
  scope: "manage",
  body: { kind: "json", schema: createBody },
  answers: { 201: { description: "The lexicon", schema: lexiconSchema } },
  handle:
    (api) =>
    async ({ request, response, caller, body: { name, ...content } }) => {
      refuseIdempotencyKey(request);
      const { MAX_LEXICONS } = api.config.limits;
      const made = await tenantLexicons(api.db, caller.tenantId).create(name, content, MAX_LEXICONS);
      if (made === null) throw new RequestError("conflict", "There is a lexicon of this name.");
      if (made === "full") throw new RequestError("conflict", "There are too many lexicons; remove some.");
      await tell(api, caller, request, "lexicon.created", made);
      sendJson(response, 201, toView(made, content));
    },
});

export const getLexicons = defineRoute({
  method: "get",
  path: "/api/v1/lexicons",
  operationId: "listLexicons",
  summary: "The tenant's lexicons, by name",
  tag: "Lexicons",
  scope: "read",
  answers: { 200: { description: "The lexicons, without their words", schema: lexiconList } },
  handle:
    ({ db }) =>
    async ({ response, caller }) => {
      sendJson(response, 200, { data: (await tenantLexicons(db, caller.tenantId).list()).map(toSummary) });
    },
});

export const getLexicon = defineRoute({
  method: "get",
  path: "/api/v1/lexicons/{name}",
  operationId: "getLexicon",
  summary: "A lexicon, as it is now",
  tag: "Lexicons",
  scope: "read",
  answers: { 200: { description: "The lexicon", schema: lexiconSchema } },
  handle:
    ({ db }) =>
    async ({ response, caller, params }) => {
      const lexicons = tenantLexicons(db, caller.tenantId);
      const row = await lexicons.find(nameFrom(params));
      const content = row && (await lexicons.read(row));
      if (!row || !content) throw notFound("lexicon");
      sendJson(response, 200, toView(row, content));
    },
});

export const putLexicon = defineRoute({
  method: "put",
  path: "/api/v1/lexicons/{name}",
  operationId: "replaceLexicon",
  summary: "Replace what a lexicon says",
  description: "Jobs that were submitted before keep the version that stood then.",
  tag: "Lexicons",
  scope: "manage",
  body: { kind: "json", schema: replaceBody },
  answers: { 200: { description: "The lexicon", schema: lexiconSchema } },
  handle:
    (api) =>
    async ({ request, response, caller, params, body }) => {
      const row = await tenantLexicons(api.db, caller.tenantId).replace(nameFrom(params), body);
      if (row === null) throw notFound("lexicon");
      await tell(api, caller, request, "lexicon.replaced", row);
      sendJson(response, 200, toView(row, body));
    },
});

export const deleteLexicon = defineRoute({
  method: "delete",
  path: "/api/v1/lexicons/{name}",
  operationId: "deleteLexicon",
  summary: "Remove a lexicon with all its versions",
  description: "Jobs that name it and have not been transcribed yet are completed without it, with a warning.",
  tag: "Lexicons",
  scope: "manage",
  answers: { 204: { description: "The lexicon is gone" } },
  handle:
    (api) =>
    async ({ request, response, caller, params }) => {
      const name = nameFrom(params);
      if (!(await tenantLexicons(api.db, caller.tenantId).remove(name))) throw notFound("lexicon");
      await tell(api, caller, request, "lexicon.deleted", { name });
      response.status(204).end();
    },
});

function nameFrom({ name = "" }: Record<string, string>): string {
  if (!LEXICON_NAME.test(name)) throw notFound("lexicon");
  return name;
}

async function tell(
  { db }: Api,
  { tenantId, publicId }: Caller,
  request: Request,
  action: string,
  { name, version }: { name: string; version?: number },
): Promise<void> {
  const detail = version === undefined ? {} : { version };
  await audit(db, { tenantId, actor: publicId, action, target: name, address: request.ip, detail });
}

function toSummary({ name, version, createdAt, updatedAt }: LexiconRow) {
  return { name, version, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}

function toView(row: LexiconRow, { rules, hotwords }: LexiconContent): z.output<typeof lexiconSchema> {
  return { ...toSummary(row), rules, hotwords };
}
