import type { LookupAddress } from "node:dns";
import type { Readable } from "node:stream";
import type { FetchLimits, OutboundPolicy } from "./policy.ts";

export interface OutboundRequest {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
  readonly limits?: Partial<FetchLimits>;
  /** `follow` is for GET and HEAD. `refuse` (default) hands a 3xx answer back as it is. */
  readonly redirect?: "follow" | "refuse";
}

export interface OutboundResponse {
  readonly status: number;
  /** Lower-case names; repeated ones are joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** Must be read to its end or destroyed: the connection lives as long. */
  readonly body: Readable;
  readonly finalUrl: string;
  readonly remoteAddress: string;
  /** The answer came from inside: never show it to whoever gave the address. */
  readonly remoteIsPrivate: boolean;
}

export interface OutboundClient {
  fetchStream(url: string | URL, request?: OutboundRequest): Promise<OutboundResponse>;
  /** Ends every request that is under way. */
  close(): Promise<void>;
}

/** Resolves a name to all of its addresses, as `dns.promises.lookup(name, { all: true })` does. */
export type Lookup = (hostname: string) => Promise<LookupAddress[]>;

export interface OutboundDependencies {
  readonly lookup?: Lookup;
  /** Certificates to trust besides the system's, in PEM. */
  readonly ca?: string;
  readonly userAgent?: string;
}

export function createOutboundClient(_policy: OutboundPolicy, _deps: OutboundDependencies = {}): OutboundClient {
  throw new Error("not built yet");
}
