import type { Readable } from "node:stream";
import { Client, type Dispatcher } from "undici";
import type { Deadlines } from "./deadlines.ts";
import { type OpenSocket, openSocket, type SocketOpener } from "./open-socket.ts";
import { OutboundError } from "./outbound-error.ts";
import type { FetchLimits } from "./policy.ts";

export interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | Readable | null;
}

export interface HopAnswer extends Pick<OpenSocket, "remoteAddress" | "remoteIsPrivate"> {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Readable;
  /** Ends the connection, whatever state it is in. */
  readonly destroy: () => void;
}

/**
 * One request over one connection of its own, which was opened for it and serves no other. Knows no proxy, follows
 * nothing, unpacks nothing.
 */
export async function requestHop(
  hop: Hop,
  opener: SocketOpener,
  limits: FetchLimits,
  deadlines: Deadlines,
): Promise<HopAnswer> {
  const { signal } = deadlines;
  deadlines.begin("connect", limits.connectTimeoutMs);
  const { socket, remoteAddress, remoteIsPrivate } = await openSocket(hop.url, opener, signal);
  let given = false;
  const client = new Client(hop.url.origin, {
    // A second connection would be one that no one checked.
    connect: (_options, callback) => {
      if (given) return callback(new Error("the connection was closed"), null);
      given = true;
      // undici expects its connector to answer later; an answer within the call is lost.
      queueMicrotask(() => callback(null, socket));
    },
    allowH2: false,
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const destroy = () => {
    signal.removeEventListener("abort", destroy);
    socket.destroy();
    client.destroy().catch(() => {});
  };
  signal.addEventListener("abort", destroy, { once: true });
  deadlines.begin("timeout_headers", limits.headersTimeoutMs);
  try {
    const answer = await client.request({
      path: hop.url.pathname + hop.url.search,
      method: hop.method as Dispatcher.HttpMethod,
      headers: { ...hop.headers },
      body: hop.body,
      reset: true,
    });
    deadlines.pause();
    answer.body.on("error", () => {});
    return {
      status: answer.statusCode,
      headers: flatten(answer.headers),
      body: answer.body,
      remoteAddress,
      remoteIsPrivate,
      destroy,
    };
  } catch (cause) {
    destroy();
    if (signal.aborted) throw signal.reason;
    throw new OutboundError("protocol", "The server gave no answer that can be understood.", { cause });
  }
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flat;
}
