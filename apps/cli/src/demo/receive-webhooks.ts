import { createServer, type IncomingHttpHeaders } from "node:http";
import { verifySignature } from "@scribe/webhooks";
import { listenLocally } from "./listen-locally.ts";

const BODY_LIMIT_BYTES = 1024 * 1024;

export interface WebhookBody {
  type: string;
  timestamp: string;
  data: { job_id: string; status: string; result?: { text: string } };
}

export interface WebhookReceiver {
  url: string;
  /** The first delivery that tells of `jobId`'s end, its signature verified. Rejects on a bad one and after `timeoutMs`. */
  waitFor(jobId: string, timeoutMs: number, signal: AbortSignal): Promise<WebhookBody>;
  close(): Promise<void>;
}

/** A receiver as a client would write it: it believes nothing whose signature does not verify. */
export async function receiveWebhooks(secret: string): Promise<WebhookReceiver> {
  const received: WebhookBody[] = [];
  let refused: string | undefined;
  const listeners = new Set<() => void>();
  const accept = (body: Buffer, headers: IncomingHttpHeaders): number => {
    const verdict = verifySignature(body, headers, [secret]);
    if (verdict.ok) received.push(JSON.parse(body.toString()) as WebhookBody);
    else refused = verdict.reason;
    for (const listener of listeners) listener();
    return verdict.ok ? 204 : 401;
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > BODY_LIMIT_BYTES) return void request.destroy();
      chunks.push(chunk);
    }
    response.writeHead(accept(Buffer.concat(chunks), request.headers)).end();
  });
  const { url, close } = await listenLocally(server);
  return {
    url: `${url}/webhook`,
    close,
    async waitFor(jobId, timeoutMs, signal) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      for (;;) {
        if (refused !== undefined) throw new Error(`A webhook came whose signature is wrong: ${refused}.`);
        const found = received.find(({ data }) => data.job_id === jobId);
        if (found) return found;
        signal.throwIfAborted();
        if (limit.aborted) throw new Error(`No webhook came for job ${jobId} within ${timeoutMs / 1000} s.`);
        await new Promise<void>((done) => {
          const wake = () => {
            listeners.delete(wake);
            limit.removeEventListener("abort", wake);
            done();
          };
          listeners.add(wake);
          limit.addEventListener("abort", wake);
        });
      }
    },
  };
}
