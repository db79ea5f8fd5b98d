import { isIP } from "node:net";
import type { Request } from "express";

/** What a relay adds. Where none is trusted, an address behind it is not known, and its own says nothing. */
const OF_RELAYS = [
  ...["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"],
  ...["cf-connecting-ip", "true-client-ip", "x-client-ip", "x-amzn-trace-id", "x-cloud-trace-context"],
];
/** Names that the public DNS gives to nobody (RFC 6762, 8375, 6761; ICANN's `internal`). */
const INSIDE_NAMES = /(^|\.)(localhost|local|internal|home\.arpa|lan)$/;

export interface InsideOptions {
  trustsProxy: boolean;
  publicUrl?: string | undefined;
  /** Origins of pages that may call. */
  origins: readonly string[];
}

/**
 * Whether a request whose sender has a private address was meant to come from inside. It was not where somebody relayed it
 * whom the operator does not know, nor where a page of elsewhere made a browser inside send it: by its origin, or under a
 * name of its own that it let resolve to here (DNS rebinding).
 */
export function seemsInside(request: Request, { trustsProxy, publicUrl, origins }: InsideOptions): boolean {
  if (!trustsProxy && OF_RELAYS.some((name) => request.get(name) !== undefined)) return false;
  const host = hostOf(`http://${request.get("host") ?? ""}`);
  const known = publicUrl === undefined ? null : hostOf(publicUrl);
  if (host === null || !(isInsideName(host) || host === known)) return false;
  if (request.get("sec-fetch-site") === "cross-site") return false;
  const origin = request.get("origin");
  return origin === undefined || origins.includes(origin) || hostOf(origin) === host;
}

/** In lower case, without port and brackets; null where there is none. */
function hostOf(url: string): string | null {
  return URL.parse(url)?.hostname.replace(/^\[|\]$/g, "") || null;
}

function isInsideName(host: string): boolean {
  return isIP(host) !== 0 || !host.includes(".") || INSIDE_NAMES.test(host);
}
