import { RequestError } from "@scribe/domain";
import type { RequestHandler } from "express";

export function refuseLongUrls(maxCharacters: number): RequestHandler {
  return (request, _response, next) => {
    if (request.url.length > maxCharacters) {
      throw new RequestError("invalid_request", `The URL is longer than ${maxCharacters} characters.`, {
        status: 414,
      });
    }
    next();
  };
}
