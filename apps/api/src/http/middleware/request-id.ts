import { uuidV7 } from "@scribe/domain";
import type { RequestHandler } from "express";

const SANE = /^[A-Za-z0-9._:-]{1,128}$/;

/** Every answer carries X-Request-Id: the caller's where it is sane, else a new one. */
export function requestId(): RequestHandler {
  return (request, response, next) => {
    const given = request.get("x-request-id");
    const id = given !== undefined && SANE.test(given) ? given : uuidV7();
    response.locals.requestId = id;
    response.setHeader("X-Request-Id", id);
    next();
  };
}
