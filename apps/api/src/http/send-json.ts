import type { Response } from "express";
import { operationOf, profileOf } from "./compat/profile.ts";

/** What belongs to a tenant is kept by no cache. Callers of an older API get what that gave. */
export function sendJson(
  response: Response,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const told = profileOf(response)?.answer(operationOf(response), status, body) ?? { status, body };
  const text = JSON.stringify(told.body);
  response.statusCode = told.status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Length", Buffer.byteLength(text));
  response.end(text);
}

/** A 204, or what an older API said instead. */
export function sendNothing(response: Response): void {
  if (profileOf(response)) sendJson(response, 204, null);
  else response.status(204).end();
}
