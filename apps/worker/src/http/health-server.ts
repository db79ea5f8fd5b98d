import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "@scribe/telemetry";

export interface HealthServerOptions {
  port: number;
  host?: string | undefined;
  version: string;
  registry: Registry;
  /** Why the worker takes no work now, or null where it does. */
  whyNotReady: () => Promise<string | null>;
}

export interface HealthServer {
  port: number;
  close(): Promise<void>;
}

/** A question of a probe must be answered before the probe gives up. */
const READY_LIMIT_MS = 2000;

/** `/health` (the process lives), `/ready` (it takes work) and `/metrics` of a worker. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const { registry, version, whyNotReady } = options;
  const server = createServer((request, response) => {
    void answer(request.method ?? "", request.url ?? "", response).catch(() => response.destroy());
  });

  async function answer(method: string, url: string, response: ServerResponse): Promise<void> {
    if (method !== "GET" && method !== "HEAD") return sendJson(response, 405, { status: "method not allowed" });
    switch (url.split("?")[0]) {
      case "/health":
        return sendJson(response, 200, { status: "healthy", version, uptime: process.uptime() });
      case "/ready": {
        const reason = await withinTime(whyNotReady(), "the database does not answer");
        return sendJson(
          response,
          reason === null ? 200 : 503,
          reason === null ? { status: "ready" } : { status: "not ready", reason },
        );
      }
      case "/metrics":
        response.setHeader("content-type", registry.contentType);
        response.end(await registry.metrics());
        return;
      default:
        return sendJson(response, 404, { status: "not found" });
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function withinTime(answer: Promise<string | null>, otherwise: string): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), READY_LIMIT_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } catch {
    return otherwise;
  } finally {
    clearTimeout(timer);
  }
}
