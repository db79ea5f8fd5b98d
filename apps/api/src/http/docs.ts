import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { defineRoute } from "../openapi/route.ts";

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Scribe Rabbit API</title>
    <link rel="icon" href="data:,">
    <style>body { margin: 0; }</style>
  </head>
  <body>
    <redoc spec-url="openapi.json" hide-download-button="true"></redoc>
    <script src="docs/redoc.js"></script>
  </body>
</html>
`;

/** Redoc styles its elements itself and searches in a worker made from a blob; nothing comes from another host. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const docs = defineRoute({
  method: "get",
  path: "/docs",
  operationId: "docs",
  summary: "This document, for people",
  tag: "Operation",
  scope: null,
  query: "anything",
  answers: { 200: { description: "A page", content: { "text/html": null } } },
  handle:
    () =>
    ({ response }) => {
      response.setHeader("Content-Security-Policy", POLICY);
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(PAGE);
    },
});

export const docsScript = defineRoute({
  method: "get",
  path: "/docs/redoc.js",
  operationId: "docsScript",
  summary: "What draws the page",
  tag: "Operation",
  scope: null,
  query: "anything",
  answers: { 200: { description: "A script", content: { "text/javascript": null } } },
  handle: () => {
    let script: Promise<string> | undefined;
    return async ({ response }) => {
      script ??= readScript();
      response.setHeader("Content-Type", "text/javascript; charset=utf-8");
      response.setHeader("Cache-Control", "public, max-age=86400");
      response.end(await script);
    };
  },
});

/** A picture that the bundle would ask its maker's host for. */
const OUTSIDE_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg";

async function readScript(): Promise<string> {
  const require = createRequire(import.meta.url);
  const path = require.resolve("redoc/bundles/redoc.standalone.js");
  return (await readFile(path, "utf8")).replaceAll(
    OUTSIDE_LOGO,
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E",
  );
}
