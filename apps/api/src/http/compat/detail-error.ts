import type { RequestError } from "@scribe/domain";
import type { ForeignError } from "./door.ts";

/** `{detail}`, as FastAPI's services tell errors; content of the wrong kind is 400 there. */
export function detailError({ code, status, message }: RequestError): ForeignError {
  return { status: code === "unsupported_media" ? 400 : status, body: { detail: message } };
}
