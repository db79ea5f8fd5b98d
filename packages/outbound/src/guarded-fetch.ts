import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { OutboundClient, OutboundRequest } from "./client.ts";
import { OutboundError } from "./outbound-error.ts";
import type { FetchLimits } from "./policy.ts";

export interface GuardedFetchOptions {
  readonly limits?: Partial<FetchLimits>;
  /** The only origin that is asked; another is refused before anything is sent. */
  readonly origin: string;
  /** Bodies of refusals that come from inside are dropped: whoever chose the address must not read them. */
  readonly hideInside: boolean;
}

/** What goes out of what a client library would send: nothing that it found in its environment. */
const SENT_HEADERS = new Set(["accept", "authorization", "content-type", "content-length", "idempotency-key"]);
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE"]);

/**
 * The guarded client in the shape of `fetch`, as the transport of libraries that ask for one. Follows no redirect. Forms
 * are put together in memory; a Node stream is sent as it comes and needs a content-length.
 *
 * @throws OutboundError for an address that may not be reached, and for networks that fail; the signal's reason
 */
export function createGuardedFetch(client: OutboundClient, options: GuardedFetchOptions): typeof fetch {
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.origin !== options.origin) {
      throw new OutboundError("address", "The request goes to another origin than the one that was set.");
    }
    const method = (init.method ?? "GET").toUpperCase();
    if (!METHODS.has(method)) throw new TypeError(`${method} is not sent from here.`);
    const headers = new Headers(init.headers);
    const body = await toBody(init.body, headers);
    const answer = await client.fetchStream(url, {
      method: method as NonNullable<OutboundRequest["method"]>,
      headers: Object.fromEntries([...headers].filter(([name]) => SENT_HEADERS.has(name))),
      ...(body === undefined ? {} : { body }),
      ...(init.signal ? { signal: init.signal } : {}),
      limits: options.limits ?? {},
    });
    const empty = method === "HEAD" || [101, 204, 205, 304].includes(answer.status);
    const hidden = options.hideInside && answer.remoteIsPrivate && answer.status >= 400;
    if (empty || hidden) answer.body.destroy();
    const stream = empty || hidden ? null : (Readable.toWeb(answer.body) as NodeReadableStream);
    return new Response(stream as ReadableStream | null, { status: answer.status, headers: answer.headers });
  };
}

async function toBody(body: unknown, headers: Headers): Promise<OutboundRequest["body"]> {
  if (body === undefined || body === null) return undefined;
  if (typeof body === "string" || body instanceof Uint8Array) return body;
  if (body instanceof Readable) {
    if (!headers.has("content-length")) throw new TypeError("A stream needs a content-length.");
    return body;
  }
  // The platform knows how forms, parameters and blobs are written, and under which type.
  const encoded = new Response(body as ConstructorParameters<typeof Response>[0]);
  const type = encoded.headers.get("content-type");
  if (type !== null && (body instanceof FormData || !headers.has("content-type"))) headers.set("content-type", type);
  return new Uint8Array(await encoded.arrayBuffer());
}
