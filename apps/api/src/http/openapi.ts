import { z } from "zod";
import { buildDocument } from "../openapi/build-document.ts";
import { defineRoute, type Route } from "../openapi/route.ts";

/** The document of all routes, this one included. */
export function openapiRoute(routes: () => readonly Route[]): Route {
  return defineRoute({
    method: "get",
    path: "/openapi.json",
    operationId: "openapi",
    summary: "This document",
    tag: "Operation",
    scope: null,
    query: "anything",
    answers: { 200: { description: "OpenAPI 3.1", schema: z.looseObject({ openapi: z.string() }) } },
    handle: ({ version, config }) => {
      const document = JSON.stringify(buildDocument(routes(), { version, serverUrl: config.http.PUBLIC_URL }));
      return ({ response }) => {
        response.setHeader("Content-Type", "application/json; charset=utf-8");
        response.setHeader("Cache-Control", "no-cache");
        response.end(document);
      };
    },
  });
}
