import { createServer } from "node:http";
import { isWebhookSecret, type Verdict, verifySignature } from "@scribe/webhooks";
import { WrongUsage } from "../exit.ts";

/** Four times what a delivery may have. */
const BODY_LIMIT_BYTES = 1024 * 1024;

export interface ReceivedWebhook {
  at: Date;
  id: string | undefined;
  /** As the body says, where it can be read. */
  type: string | undefined;
  verdict: Verdict;
  /** Laid out over lines where it is JSON. */
  body: string;
}

export interface ListenOptions {
  secrets: readonly string[];
  /** Of 127.0.0.1; 0 takes a free one. */
  port: number;
  /** Answered to what verifies; anything else gets 401. */
  status: number;
  onReceived: (webhook: ReceivedWebhook) => void;
}

/** A receiver on this machine that verifies each delivery and tells of it, whether it verifies or not. */
export async function listenForWebhooks(options: ListenOptions): Promise<{ url: string; close(): Promise<void> }> {
  const { secrets, port, status, onReceived } = options;
  if (!secrets.every(isWebhookSecret)) throw new WrongUsage("A secret reads whsec_ and base64.");
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > BODY_LIMIT_BYTES) return void response.writeHead(413, { connection: "close" }).end();
        chunks.push(chunk);
      }
    } catch {
      return; // The sender went away in the middle.
    }
    const raw = Buffer.concat(chunks);
    const verdict = verifySignature(raw, request.headers, secrets);
    const id = request.headers["webhook-id"];
    onReceived({
      at: new Date(),
      id: typeof id === "string" ? id : undefined,
      verdict,
      ...layOut(raw.toString("utf8")),
    });
    response.writeHead(verdict.ok ? status : 401).end();
  });
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    server.listen(port, "127.0.0.1", done);
  });
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address ? address.port : port}/`,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

function layOut(text: string): { type: string | undefined; body: string } {
  try {
    const body = JSON.parse(text) as { type?: unknown };
    return { type: typeof body.type === "string" ? body.type : undefined, body: JSON.stringify(body, null, 2) };
  } catch {
    return { type: undefined, body: text };
  }
}
