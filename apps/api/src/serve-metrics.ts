import { createServer, type Server } from "node:http";
import type { Registry } from "@scribe/telemetry";

/** `/metrics` without a key, on a port of its own that only the operator's network reaches. */
export function createMetricsServer(registry: Registry): Server {
  return createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, async (request, response) => {
    if (request.method !== "GET" || request.url?.split("?")[0] !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    try {
      const text = await registry.metrics();
      response.writeHead(200, { "Content-Type": registry.contentType }).end(text);
    } catch {
      response.writeHead(500).end();
    }
  });
}
