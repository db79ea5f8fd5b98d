import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How one answer goes wrong. */
export type ProviderFault =
  | { status: number; message?: string; headers?: Record<string, string> }
  /** Half of the bytes, then the connection breaks. */
  | "half"
  /** JSON that ends in the middle, and a length that fits it. */
  | "cut-json"
  /** JSON that is not what was asked for. */
  | "nonsense"
  /** No answer. */
  | "hang";

export interface ProviderRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface FaultyServer {
  url: string;
  requests: ProviderRequest[];
  /** The next `times` answers to requests that match go wrong so. */
  fail(match: RegExp, fault: ProviderFault, times?: number): void;
  /** The same, for the one that comes after `count` others that match. */
  failAfter(count: number, match: RegExp, fault: ProviderFault): void;
  /** Requests whose caller went away before the answer. */
  abandoned: number;
  stop(): Promise<void>;
}

export type Answering = (request: ProviderRequest) => Promise<{ status: number; json: unknown }>;

/** A provider's server on 127.0.0.1 that answers JSON, and fails as told in the words that `errorBody` gives. */
export async function serveWithFaults(
  answer: Answering,
  errorBody: (message: string, status: number) => unknown,
): Promise<FaultyServer> {
  const faults: { match: RegExp; fault: ProviderFault; times: number; after: number }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The caller went away in the middle.
    }
    const { method = "GET", url: path = "/", headers } = request;
    const asked = { method, path, headers, body: Buffer.concat(chunks) };
    faulty.requests.push(asked);
    response.once("close", () => {
      if (!response.writableFinished) faulty.abandoned += 1;
    });
    const found = faults.find(({ match, times }) => times > 0 && match.test(`${method} ${path}`));
    const waits = found !== undefined && found.after-- > 0;
    if (found && !waits) found.times -= 1;
    const fault = waits ? undefined : found?.fault;
    if (fault === "hang") return;
    if (typeof fault === "object") {
      return sendJson(response, fault.status, errorBody(fault.message ?? "no", fault.status), fault.headers);
    }
    const { status, json } = await answer(asked);
    if (fault === "nonsense") return sendJson(response, 200, { hello: "world" });
    const bytes = Buffer.from(JSON.stringify(json));
    const half = bytes.subarray(0, Math.ceil(bytes.length / 2));
    if (fault === "cut-json") {
      return void response
        .writeHead(200, { "content-type": "application/json", "content-length": half.length })
        .end(half);
    }
    if (fault === "half") {
      response.writeHead(200, { "content-type": "application/json", "content-length": bytes.length });
      return void response.write(half, () => setTimeout(() => response.destroy(), 20));
    }
    sendJson(response, status, json);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const faulty: FaultyServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    abandoned: 0,
    fail: (match, fault, times = 1) => void faults.push({ match, fault, times, after: 0 }),
    failAfter: (after, match, fault) => void faults.push({ match, fault, times: 1, after }),
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
  return faulty;
}

function sendJson(response: ServerResponse, status: number, json: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(json));
}
