import { createServer, type IncomingHttpHeaders } from "node:http";
import { waitFor } from "./wait-for.ts";

export type ReceivedRequest = {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** The raw bytes: signatures are over these. */
  body: Buffer;
  json: () => unknown;
  receivedAt: Date;
};

/** What the receiver does with a request. `hang` never answers, `reset` breaks the connection. */
export type ReceiverAnswer =
  | "hang"
  | "reset"
  | { status: number; headers?: Record<string, string>; body?: string | Buffer; delayMs?: number };

export type Receiver = {
  url: string;
  port: number;
  requests: ReceivedRequest[];
  /** Answers the coming requests one by one; after the last, 200. A function answers all, given how many came before. */
  answer(script: ReceiverAnswer[] | ((request: ReceivedRequest, index: number) => ReceiverAnswer)): void;
  /** Resolves with the requests once there are `count` that `match`. */
  waitForRequests(count: number, options?: WaitOptions): Promise<ReceivedRequest[]>;
  stop(): Promise<void>;
};

type WaitOptions = { timeoutMs?: number; match?: (request: ReceivedRequest) => boolean };

/** A webhook receiver on 127.0.0.1 that records what comes and answers as told (200 by default). */
export async function startReceiver(options: { port?: number } = {}): Promise<Receiver> {
  const requests: ReceivedRequest[] = [];
  let script: ReceiverAnswer[] = [];
  let rule: ((request: ReceivedRequest, index: number) => ReceiverAnswer) | undefined;
  const timers = new Set<NodeJS.Timeout>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The sender went away in the middle: nothing was received.
    }
    const body = Buffer.concat(chunks);
    const received: ReceivedRequest = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      body,
      json: () => JSON.parse(body.toString("utf8")),
      receivedAt: new Date(),
    };
    const index = requests.push(received) - 1;
    const answer = rule?.(received, index) ?? script.shift() ?? { status: 200 };
    if (answer === "hang") return;
    if (answer === "reset") {
      request.socket.resetAndDestroy();
      return;
    }
    const send = () => {
      response.writeHead(answer.status, answer.headers);
      response.end(answer.body ?? "");
    };
    if (!answer.delayMs) return send();
    const timer = setTimeout(() => {
      timers.delete(timer);
      send();
    }, answer.delayMs);
    timers.add(timer);
  });
  const port = await new Promise<number>((done, failed) => {
    server.once("error", failed);
    server.listen(options.port ?? 0, "127.0.0.1", () => {
      const address = server.address();
      done(typeof address === "object" && address ? address.port : 0);
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    answer(next) {
      rule = typeof next === "function" ? next : undefined;
      script = typeof next === "function" ? [] : [...next];
    },
    waitForRequests(count, { timeoutMs = 10_000, match = () => true } = {}) {
      const enough = () => {
        const found = requests.filter(match);
        return found.length >= count ? found : null;
      };
      return waitFor(enough, { timeoutMs, what: `${count} requests` });
    },
    async stop() {
      for (const timer of timers) clearTimeout(timer);
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}
