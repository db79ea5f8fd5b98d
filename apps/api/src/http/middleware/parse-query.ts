import { isUnsafeText, RequestError } from "@scribe/domain";
import type { Request } from "express";
import { z } from "zod";
import type { Route } from "../../openapi/route.ts";
import { invalidInput } from "../invalid-input.ts";

const NONE = z.strictObject({});

/** The query as its route's schema has it. Unknown, repeated and unsafe parameters are refused by name. */
export function parseQuery({ query }: Route, request: Request): unknown {
  if (query === "anything") return {};
  const mark = request.url.indexOf("?");
  if (mark === -1 && query === undefined) return {};
  const given: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(mark === -1 ? "" : request.url.slice(mark + 1))) {
    if (name in given) throw wrong(name, "is given twice");
    if (isUnsafeText(name) || isUnsafeText(value)) throw wrong(name, "must not contain NUL");
    given[name] = value;
  }
  const parsed = (query ?? NONE).safeParse(given);
  if (!parsed.success) throw invalidInput(parsed.error, "parameter");
  return parsed.data;
}

function wrong(name: string, message: string): RequestError {
  const path = name.replaceAll("\u0000", "");
  return new RequestError("invalid_request", `The parameter \`${path}\` ${message}.`, { errors: [{ path, message }] });
}
