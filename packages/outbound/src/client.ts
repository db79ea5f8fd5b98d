import type { LookupAddress } from "node:dns";
import { lookup as lookupName } from "node:dns/promises";
import type { Readable } from "node:stream";
import { assertUrlAllowed } from "./assert-url-allowed.ts";
import { boundedBody } from "./bounded-body.ts";
import { compilePolicy } from "./compile-policy.ts";
import { Deadlines } from "./deadlines.ts";
import type { SocketOpener } from "./open-socket.ts";
import { OutboundError } from "./outbound-error.ts";
import { DEFAULT_LIMITS, type FetchLimits, type OutboundPolicy } from "./policy.ts";
import { type HopAnswer, requestHop } from "./request-hop.ts";
import { forbiddenResolver } from "./resolve-forbidden.ts";

export interface OutboundRequest {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream is sent as it comes, and needs a content-length; it is read once, so nothing is followed with it. */
  readonly body?: string | Uint8Array | Readable;
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

/** Headers that may go along to another origin: those that identify no one. */
const HARMLESS_HEADERS = new Set(["accept", "accept-encoding", "accept-language", "range", "user-agent"]);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * The one way to an address that a stranger gave. Each hop's URL is checked as `assertUrlAllowed` does, each address that
 * its name resolves to is checked before that very address is connected to, and every wait and size has a limit. Proxy
 * settings of the environment are not looked at; bodies are asked for, and accepted, uncompressed only.
 * Throws a TypeError at once where the policy is malformed.
 */
export function createOutboundClient(policy: OutboundPolicy, deps: OutboundDependencies = {}): OutboundClient {
  const compiled = compilePolicy(policy);
  const lookup = deps.lookup ?? ((hostname) => lookupName(hostname, { all: true, order: "verbatim" }));
  const opener: SocketOpener = {
    policy: compiled,
    lookup,
    forbidden: forbiddenResolver(compiled, lookup),
    ca: deps.ca,
  };
  const closing = new AbortController();
  const underWay = new Set<Promise<unknown>>();

  async function fetchStream(url: string | URL, request: OutboundRequest = {}): Promise<OutboundResponse> {
    const method = request.method ?? "GET";
    const follow = request.redirect === "follow";
    if (follow && method !== "GET" && method !== "HEAD") throw new TypeError("Only GET and HEAD follow redirects.");
    const limits: FetchLimits = { ...DEFAULT_LIMITS, ...request.limits };
    const deadlines = new Deadlines(limits.totalTimeoutMs, [request.signal, closing.signal]);
    try {
      deadlines.signal.throwIfAborted();
      let current = assertUrlAllowed(url, policy);
      let headers = ownHeaders(request.headers, deps.userAgent);
      for (let redirects = 0; ; redirects++) {
        const hop = { url: current, method, headers, body: request.body ?? null };
        const answer = await requestHop(hop, opener, limits, deadlines);
        if (!follow || !REDIRECTS.has(answer.status)) return hand(answer, current, method, limits, deadlines);
        answer.destroy();
        if (redirects === limits.maxRedirects) {
          throw new OutboundError(
            "too_many_redirects",
            `The address redirects more than ${limits.maxRedirects} times.`,
          );
        }
        const next = redirectTarget(answer.headers.location, current, policy);
        if (next.origin !== current.origin) headers = onlyHarmless(headers);
        current = next;
      }
    } catch (error) {
      deadlines.end();
      throw error;
    }
  }

  function hand(answer: HopAnswer, url: URL, method: string, limits: FetchLimits, deadlines: Deadlines) {
    try {
      refuseEncoded(answer);
      const body = boundedBody(answer, method, limits, deadlines);
      const closed = new Promise<void>((resolve) => body.once("close", resolve));
      underWay.add(closed);
      void closed.then(() => underWay.delete(closed));
      const { status, headers, remoteAddress, remoteIsPrivate } = answer;
      return { status, headers, body, finalUrl: url.href, remoteAddress, remoteIsPrivate };
    } catch (error) {
      answer.destroy();
      throw error;
    }
  }

  async function close(): Promise<void> {
    closing.abort(new Error("The outbound client was closed."));
    await Promise.all(underWay);
  }

  return { fetchStream, close };
}

function ownHeaders(given: OutboundRequest["headers"], userAgent = "scribe-rabbit"): Record<string, string> {
  const headers: Record<string, string> = { accept: "*/*", "user-agent": userAgent };
  for (const [name, value] of Object.entries(given ?? {})) headers[name.toLowerCase()] = value;
  // Nothing is unpacked here: neither a bomb nor a size that says nothing.
  return { ...headers, "accept-encoding": "identity" };
}

function onlyHarmless(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => HARMLESS_HEADERS.has(name)));
}

function redirectTarget(location: string | undefined, from: URL, policy: OutboundPolicy): URL {
  const target = location === undefined ? null : URL.parse(location, from.href);
  if (target === null) throw new OutboundError("bad_redirect", "The address redirects to nowhere.");
  return assertUrlAllowed(target, policy);
}

function refuseEncoded({ headers, status }: HopAnswer): void {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (encoding === "" || encoding === "identity" || status === 204 || status === 304) return;
  throw new OutboundError("encoded", "The server sent a compressed answer although it was asked not to.");
}
