import { findUnsafeText, RequestError } from "@scribe/domain";
import type { Request } from "express";
import type { z } from "zod";
import { invalidInput } from "../invalid-input.ts";

/** No schema of ours is nearly as deep; what walks the input may recurse. */
const MAX_DEPTH = 32;

export interface BodyLimits {
  maxBytes: number;
  /** For all of it to come. */
  waitMs: number;
  /** What came, before it is checked against the schema. */
  adapt?: (input: unknown) => unknown;
}

/** The request's JSON body, checked against its schema. Throws 400, 408, 413 or 415. */
export async function readJson<T extends z.ZodType>(
  request: Request,
  schema: T,
  limits: BodyLimits,
): Promise<z.output<T>> {
  if (!request.is("application/json")) {
    throw new RequestError("unsupported_media", "The body must be JSON, with `Content-Type: application/json`.");
  }
  refuseCompressed(request);
  return checkInput(parseJson(await collectBody(request, limits)), schema, limits.adapt);
}

/** What JSON gave, checked against a schema. Throws 400 that names the fields. */
export function checkInput<T extends z.ZodType>(
  input: unknown,
  schema: T,
  adapt: NonNullable<BodyLimits["adapt"]> = (given) => given,
): z.output<T> {
  refuseMachinery(input);
  const unsafe = findUnsafeText(input);
  if (unsafe !== null) throw wrongField(unsafe, "must not contain NUL or lone surrogates");
  const parsed = schema.safeParse(adapt(input));
  if (!parsed.success) throw invalidInput(parsed.error, "field");
  return parsed.data;
}

export function refuseCompressed(request: Request): void {
  if ((request.get("content-encoding") ?? "identity") === "identity") return;
  throw new RequestError("unsupported_media", "The body must not be compressed.");
}

/** On failure the rest of the body is left to Node, which discards it: the socket still has to carry the answer. */
export function collectBody(request: Request, { maxBytes, waitMs }: BodyLimits): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  if (Number(request.get("content-length") ?? 0) > maxBytes) return Promise.reject(tooLarge(maxBytes));
  const endedEarly = () => new RequestError("invalid_request", "The body ended early.");
  // Whoever went away before anybody read sends no end either.
  if (request.destroyed) return Promise.reject(endedEarly());
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(
    () => reject(new RequestError("invalid_request", "The body did not come in time.", { status: 408 })),
    waitMs,
  );
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) reject(tooLarge(maxBytes));
    else chunks.push(chunk);
  };
  request.on("data", onData);
  const onClose = () => reject(endedEarly());
  request.once("end", () => resolve(Buffer.concat(chunks, bytes)));
  request.once("error", reject);
  request.once("close", onClose);
  return promise.finally(() => {
    clearTimeout(timer);
    request.off("data", onData);
    request.off("close", onClose);
  });
}

export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw new RequestError("invalid_request", "The body is not well-formed JSON.", { cause: error });
  }
}

/** Whether something that walks an input by calling itself could run out of stack. */
export function isTooDeep(input: unknown): boolean {
  let level = [input];
  for (let depth = 0; depth <= MAX_DEPTH; depth++) level = level.filter(isContainer).flatMap(Object.values);
  return level.some(isContainer);
}

function isContainer(value: unknown): value is object {
  return value !== null && typeof value === "object";
}

/** `__proto__` would be dropped without a word by whatever copies the object later; it is unknown at any depth. */
function refuseMachinery(input: unknown): void {
  const open: { value: unknown; path: string; depth: number }[] = [{ value: input, path: "", depth: 0 }];
  for (let at = open.pop(); at; at = open.pop()) {
    if (at.value === null || typeof at.value !== "object") continue;
    if (at.depth > MAX_DEPTH) throw new RequestError("invalid_request", "The body is nested too deeply.");
    for (const [key, value] of Object.entries(at.value)) {
      const path = at.path === "" ? key : `${at.path}.${key}`;
      if (key === "__proto__") throw wrongField(path, "is not a known field");
      open.push({ value, path, depth: at.depth + 1 });
    }
  }
}

function wrongField(path: string, message: string): RequestError {
  return new RequestError("invalid_request", `\`${path}\` ${message}.`, { errors: [{ path, message }] });
}

function tooLarge(maxBytes: number): RequestError {
  return new RequestError("payload_too_large", `The body is larger than ${maxBytes} bytes.`);
}
