import { z } from "zod";
import { doorOf } from "../http/compat/doors.ts";
import { problemSchema } from "../http/problem.ts";
import type { Answer, Route } from "./route.ts";
import { namedSchemas } from "./schemas.ts";

type Json = Record<string, unknown>;

export interface DocumentOptions {
  version: string;
  /** Where the API is reached, where that is known. */
  serverUrl?: string | undefined;
}

/** The OpenAPI 3.1 document of the routes. */
export function buildDocument(routes: readonly Route[], { version, serverUrl }: DocumentOptions): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Scribe Rabbit",
      version,
      description: "Turns recordings into text with times. Errors are problems as RFC 9457 has them.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: serverUrl ?? "/" }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "`Authorization: Bearer sr_…`, or a user's access token",
        },
        apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
      },
    },
  };
}

function operation(route: Route): Json {
  const accounts = route.accounts ? "503 where the operator has not set `ACCOUNTS`." : "";
  const scope = route.scope === null ? "" : `Needs a key with scope \`${route.scope}\`.`;
  return {
    operationId: route.operationId,
    summary: route.summary,
    description: [route.description, scope, accounts].filter(Boolean).join("\n\n"),
    tags: [route.tag],
    security: route.scope === null ? [] : [{ bearer: [] }, { apiKey: [] }],
    parameters: parameters(route),
    ...(route.body ? { requestBody: requestBody(route.body) } : {}),
    responses: {
      ...Object.fromEntries(Object.entries(route.answers).map(([status, answer]) => [status, response(answer)])),
      default: problem(route),
    },
  };
}

/** Behind a front door of another service, errors look as that service's do. */
function problem({ path }: Route): Json {
  const door = doorOf(path);
  if (door)
    return { description: `An error as ${door.name} tells it`, content: { "application/json": { schema: {} } } };
  return {
    description: "A problem",
    content: { "application/problem+json": { schema: schemaOf(problemSchema, "output") } },
  };
}

function parameters(route: Route): Json[] {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", ...(doorOf(route.path) ? {} : { format: "uuid" }) },
  }));
  const inHeader = Object.entries(route.headers ?? {}).map(([name, description]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
  }));
  return [...inPath, ...queryParameters(route), ...inHeader];
}

function queryParameters({ query }: Route): Json[] {
  if (query === undefined || query === "anything") return [];
  const { properties = {}, required = [] } = inline(query, "input") as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}

function requestBody(body: NonNullable<Route["body"]>): Json {
  if (body.kind === "bytes") {
    return {
      required: true,
      content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
    };
  }
  if (body.kind === "manifest") {
    const content = { "application/json": { schema: schemaOf(body.schema, "input") } };
    return { required: true, content: { ...content, "application/x-ndjson": { schema: { type: "string" } } } };
  }
  const type = body.kind === "json" ? "application/json" : "multipart/form-data";
  return { required: true, content: { [type]: { schema: schemaOf(body.schema, "input") } } };
}

function response({ description, schema, content, headers }: Answer): Json {
  const kinds = { ...(schema ? { "application/json": schema } : {}), ...content };
  return {
    description,
    ...(headers
      ? {
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: "string" } }]),
          ),
        }
      : {}),
    ...(Object.keys(kinds).length > 0
      ? {
          content: Object.fromEntries(
            Object.entries(kinds).map(([type, kind]) => [
              type,
              { schema: kind === null ? { type: "string" } : schemaOf(kind, "output") },
            ]),
          ),
        }
      : {}),
  };
}

/** A reference where the schema has a name, else the schema itself. */
function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const name = namedSchemas.get(schema)?.id;
  return name === undefined ? inline(schema, io) : { $ref: `#/components/schemas/${name}` };
}

function componentSchemas(): Json {
  const out: Record<string, Json> = {};
  for (const [direction, io] of [
    ["request", "input"],
    ["answer", "output"],
  ] as const) {
    const some = z.registry<{ id: string }>();
    for (const [schema, name] of namedSchemas) {
      if (name.direction === direction) some.add(schema, { id: name.id });
    }
    const { schemas } = z.toJSONSchema(some, { io, uri: (id) => `#/components/schemas/${id}`, unrepresentable: "any" });
    for (const [id, schema] of Object.entries(schemas)) out[id] = plain(schema);
  }
  return Object.fromEntries(Object.entries(out).sort(([a], [b]) => a.localeCompare(b)));
}

function inline(schema: z.ZodType, io: "input" | "output"): Json {
  return plain(z.toJSONSchema(schema, { io, unrepresentable: "any" }));
}

/** In a document the dialect and the address of each schema are the document's. */
function plain(schema: object): Json {
  const { $schema: _dialect, $id: _address, ...rest } = schema as Json;
  return rest;
}
