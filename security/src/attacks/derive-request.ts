import type { Random } from "../random.ts";
import { oddText, valueFor } from "./derive-value.ts";
import { DOOR_BODIES, doorQuery } from "./door-errors.ts";

export interface OpenApi {
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, Schema> };
}

export type Schema = Record<string, unknown>;

export interface Operation {
  operationId: string;
  template: string;
  method: string;
  parameters: { name: string; in: "path" | "query" | "header"; required: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema?: Schema }> }>;
}

export interface Derived {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string | Buffer;
}

export function operationsOf({ paths }: OpenApi): Operation[] {
  return Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...(operation as Operation), template, method })),
  );
}

/** A request as the document has it, then with parts of it made wrong. */
export function deriveRequest(
  operation: Operation,
  document: OpenApi,
  random: Random,
  ids: readonly string[],
): Derived {
  let path = operation.template;
  const query: [string, string][] = [];
  const headers: Record<string, string> = {};
  const idOr = () => (random.chance(0.7) ? random.pick(ids) : encode(oddText(random), random));
  path = path.replaceAll(/\{\w+\}/g, () => idOr() || "x");
  for (const { name, in: where, schema, required } of operation.parameters) {
    if (where === "path" || (!required && random.chance(0.6))) continue;
    const value = valueFor(schema, document, random);
    const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
    if (where === "query") query.push([name, text]);
    else if (random.chance(0.5)) headers[name] = headerSafe(text);
  }
  for (const name of doorQuery(operation.operationId, random)) {
    query.push([name, name === "wait" ? String(random.int(3_000)) : oddText(random)]);
  }
  if (random.chance(0.1)) query.push([oddText(random), oddText(random)]);
  if (random.chance(0.05) && query[0]) query.push(query[0]);
  // Made by hand: URLSearchParams would mend lone surrogates, and percent signs of ours are meant.
  const search = query.map(([name, value]) => `${encode(name, random)}=${encode(value, random)}`).join("&");
  const derived: Derived = {
    method: random.chance(0.02)
      ? random.pick(["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
      : operation.method.toUpperCase(),
    path: (search === "" ? path : `${path}?${search}`).slice(0, 12_000),
    headers,
  };
  if (random.chance(0.05)) headers["x-request-id"] = headerSafe(oddText(random)).slice(0, 300);
  if (random.chance(0.05)) headers["idempotency-key"] = headerSafe(oddText(random)).slice(0, 300);
  if (random.chance(0.02)) headers["content-encoding"] = random.pick(["gzip", "br", "identity", "x"]);
  if (random.chance(0.02)) headers.accept = random.pick(["text/html", "application/xml", "*/*;q=0", "x"]);
  const byContent = random.chance(0.8) ? DOOR_BODIES[operation.operationId] : undefined;
  const content = byContent
    ? (["application/json", { schema: byContent }] as const)
    : Object.entries(operation.requestBody?.content ?? {})[0];
  if (content === undefined) {
    if (random.chance(0.05) && derived.method !== "GET") derived.body = oddText(random);
    return derived;
  }
  const [type, { schema }] = content;
  headers["content-type"] = random.chance(0.03)
    ? random.pick(["text/plain", "application/json; charset=x", "x", ""])
    : type;
  const value = valueFor(schema, document, random);
  if (type === "multipart/form-data") Object.assign(derived, asForm(value, random, headers));
  // A body beyond what the API still reads of a refused one ends its connection, as it should.
  else derived.body = brokenJson(value, random).slice(0, 8_000_000);
  return derived;
}

function brokenJson(value: unknown, random: Random): string {
  const text = JSON.stringify(value) ?? "null";
  if (random.chance(0.9)) return text;
  return random.pick([
    () => text.slice(0, random.int(text.length)),
    () => `${text}${text}`,
    () => "[".repeat(5_000),
    () => `${'{"a":'.repeat(500)}1${"}".repeat(500)}`,
    () => text.replace("{", '{"__proto__":{"x":1},'),
    () => text.replace("{", '{"constructor":{"prototype":{}},'),
    () => `${" ".repeat(100_000)}${text}`,
    () => text.replaceAll(/\d+/g, "1e999"),
    () => text.replaceAll(/"([^"]*)":/g, '"\\ud800$1":'),
    () => `\ufeff${text}`,
    () => "nul",
    () => "",
  ])();
}

const WAV = Buffer.concat([
  Buffer.from(
    "RIFF\x24\x08\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\x00\x08\x00\x00",
    "latin1",
  ),
  Buffer.alloc(2048),
]);

function asForm(value: unknown, random: Random, headers: Record<string, string>): Pick<Derived, "body"> {
  const boundary = random.chance(0.05) ? "x".repeat(80) : "----attack";
  headers["content-type"] = random.chance(0.03) ? "multipart/form-data" : `multipart/form-data; boundary=${boundary}`;
  const fields = value !== null && typeof value === "object" ? Object.entries(value) : [];
  const chunks: Buffer[] = [];
  for (const [name, item] of fields) {
    const isFile = name === "file";
    if (isFile && random.chance(0.2)) continue;
    const file = isFile ? `; filename="${random.pick(["a.wav", "../x", "%00", '"', "a\u202e.wav"])}"` : "";
    chunks.push(Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`));
    const text = typeof item === "string" ? item : (JSON.stringify(item) ?? "");
    chunks.push(isFile && random.chance(0.5) ? WAV : Buffer.from(text), Buffer.from("\r\n"));
  }
  if (random.chance(0.9)) chunks.push(Buffer.from(`--${boundary}--\r\n`));
  return { body: Buffer.concat(chunks) };
}

function encode(text: string, random: Random): string {
  if (random.chance(0.05)) return random.pick(["%", "%zz", "%00", "%ff%fe", "%ed%a0%80", "%u0041"]);
  try {
    return encodeURIComponent(text);
  } catch {
    return "%ed%a0%80";
  }
}

/** What a client can put into a header at all. */
function headerSafe(text: string): string {
  return text.replaceAll(/[^\x20-\x7e\x80-\xff]/g, "?");
}
