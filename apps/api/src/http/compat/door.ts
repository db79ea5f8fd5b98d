import type { RequestError } from "@scribe/domain";
import type { Request } from "express";

/** An error as another service tells it. */
export interface ForeignError {
  status: number;
  /** JSON. */
  body: unknown;
  headers?: Record<string, string>;
}

/**
 * A front door that speaks as another service does. Its routes are routes like any other, over the same jobs; what is
 * foreign is where the key may stand and how errors look, also of requests that reach no route.
 */
export interface Door {
  name: string;
  /** Paths that begin so, in any case of letters, are behind this door; no other route of ours does. */
  prefix: string;
  /** The path's segment after the prefix is the caller's key, or `-` for none. */
  keyInPath?: true;
  /** The service knew no keys: the operator may let a private network do without. */
  anonymous?: true;
  renderError(error: RequestError, request: Request, requestId: string): ForeignError;
}

/** Stands in the path where a key could. */
const NO_KEY = "-";

/**
 * The key in a form that this door's clients send: `Bearer K`, `Token K`, bare `K`, `X-API-Key`, or a segment of the path.
 * Null where there is none.
 */
export function keyShownAt(door: Door, request: Request): string | null {
  const [, key] = /^(?:(?:Bearer|Token) +)?(\S+) *$/i.exec(request.get("authorization") ?? "") ?? [];
  const inPath = door.keyInPath ? keySegment(door, request.path) : null;
  return key ?? request.get("x-api-key")?.trim() ?? (inPath === NO_KEY ? null : inPath);
}

/** Whatever looks like one of our keys, wherever a caller has put it. */
const KEY_LIKE = /\bsr_[A-Za-z0-9]{8}_[^/]+/g;

/** A path as it may be logged: without the key in it. */
export function withoutKey(door: Door | null, path: string): string {
  const key = door?.keyInPath ? keySegment(door, path) : null;
  const shown =
    door === null || key === null ? path : `${door.prefix}***${path.slice(door.prefix.length + key.length)}`;
  return shown.replaceAll(KEY_LIKE, "***");
}

/** Decoded nowhere: our keys need no escapes. */
function keySegment({ prefix }: Door, path: string): string | null {
  return path.slice(prefix.length).split("/", 1)[0] || null;
}
