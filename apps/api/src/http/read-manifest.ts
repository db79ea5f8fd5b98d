import { type BatchSettings, batchSettings, MAX_BATCH_ITEMS, RequestError } from "@scribe/domain";
import type { Request } from "express";
import {
  type BodyLimits,
  checkInput,
  collectBody,
  isTooDeep,
  parseJson,
  refuseCompressed,
} from "./middleware/read-json.ts";

/** A manifest as it came: the settings are checked, the lines are not. */
export interface Manifest {
  settings: BatchSettings;
  lines: ManifestLine[];
}

/** As it was written, or why it cannot be read. */
type ManifestLine = { line: number } & ReadLine;
type ReadLine = { input: unknown } | { malformed: "is not well-formed JSON" | "is nested too deeply" };

const LINES = ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];

/**
 * Reads `{items: […], …settings}`, or a line of JSON an item. Of lines the first may be `{"batch": {…settings}}`. Lines
 * count from 1 as an editor counts them; items of a list do, too.
 *
 * @throws RequestError 400, 408, 413, 415
 */
export async function readManifest(request: Request, limits: BodyLimits): Promise<Manifest> {
  const asLines = request.is(LINES) !== false;
  if (!asLines && !request.is("application/json")) {
    throw new RequestError(
      "unsupported_media",
      `The manifest must be \`application/json\` or \`${LINES[0]}\`, and say so in \`Content-Type\`.`,
    );
  }
  refuseCompressed(request);
  const body = await collectBody(request, limits);
  const manifest = asLines ? readLines(body) : readList(parseJson(body));
  if (manifest.lines.length === 0) throw wrongItems("must have at least one item");
  if (manifest.lines.length > MAX_BATCH_ITEMS) throw wrongItems(`must be at most ${MAX_BATCH_ITEMS} items long`);
  return manifest;
}

function readList(input: unknown): Manifest {
  if (input === null || typeof input !== "object" || Array.isArray(input)) {
    throw new RequestError("invalid_request", "The manifest must be an object with `items`.");
  }
  const { items, ...settings } = input as Record<string, unknown>;
  if (!Array.isArray(items)) throw wrongItems("must be a list");
  return {
    settings: checkInput(settings, batchSettings),
    lines: items.map((item, index) => ({ line: index + 1, ...shallow(item) })),
  };
}

function readLines(body: Buffer): Manifest {
  const lines: Manifest["lines"] = [];
  let settings: BatchSettings = {};
  let line = 0;
  for (let from = 0; from < body.length; ) {
    const end = body.indexOf(0x0a, from);
    const bytes = body.subarray(from, end === -1 ? body.length : end);
    from = end === -1 ? body.length : end + 1;
    line += 1;
    if (isBlank(bytes)) continue;
    const read = parseLine(bytes);
    const header = lines.length === 0 && "input" in read ? headerOf(read.input) : undefined;
    if (header !== undefined) settings = checkInput(header, batchSettings);
    else lines.push({ line, ...read });
    // One more is enough to know that there are too many.
    if (lines.length > MAX_BATCH_ITEMS) break;
  }
  return { settings, lines };
}

function parseLine(bytes: Buffer): ReadLine {
  try {
    return shallow(parseJson(bytes));
  } catch (error) {
    if (error instanceof RequestError) return { malformed: "is not well-formed JSON" };
    throw error;
  }
}

function shallow(input: unknown): ReadLine {
  return isTooDeep(input) ? { malformed: "is nested too deeply" } : { input };
}

function headerOf(input: unknown): unknown {
  return input !== null && typeof input === "object" && Object.hasOwn(input, "batch")
    ? (input as { batch: unknown }).batch
    : undefined;
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);
}

function wrongItems(message: string): RequestError {
  return new RequestError("invalid_request", `\`items\` ${message}.`, { errors: [{ path: "items", message }] });
}
