import { RequestError } from "@scribe/domain";
import type { RequestHandler } from "express";

/** Ids, cursors and filters together stay well under this. */
const MAX_URL_CHARACTERS = 8192;

export function refuseLongUrls(): RequestHandler {
  return (request, _response, next) => {
    if (request.url.length > MAX_URL_CHARACTERS) {
      throw new RequestError("invalid_request", `The URL is longer than ${MAX_URL_CHARACTERS} characters.`, {
        status: 414,
      });
    }
    next();
  };
}
