import type { Hub } from "./hub.ts";
import { HubError } from "./hub-error.ts";
import { pause } from "./pause.ts";

export const SILENCE_MS = 30_000;
const TRIES = 6;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** The hub sends large files from another host; some more for mirrors. */
const MAX_REDIRECTS = 5;
const WORTH_A_RETRY = new Set([408, 425, 429, 500, 502, 503, 504]);

/** An answer that may be different later; `afterMs` where the hub says when. */
class HubBusy extends Error {
  override readonly name = "HubBusy";
  readonly afterMs: number | undefined;

  constructor(status: number, afterMs: number | undefined) {
    super(`the hub answered ${status}`);
    this.afterMs = afterMs;
  }
}

/**
 * One GET, with redirects followed by hand: the token goes to the endpoint's own origin and nowhere else. Resolves with
 * a success (200, 206) or 416.
 *
 * @throws HubBusy, or what the network threw, where another try is worth it; HubError where none is
 */
export async function askHub(
  hub: Hub,
  path: string,
  { headers = {}, signal }: { headers?: Record<string, string>; signal?: AbortSignal | undefined } = {},
): Promise<Response> {
  const home = new URL(hub.endpoint);
  let url = new URL(`${home.href.replace(/\/$/, "")}${path}`);
  for (let hops = 0; ; hops++) {
    const sent = new Headers({ "user-agent": "scribe-rabbit", ...headers });
    if (hub.token !== undefined && url.origin === home.origin) sent.set("authorization", `Bearer ${hub.token}`);
    const response = await answerInTime(url, sent, hub.silenceMs ?? SILENCE_MS, signal);
    const { status } = response;
    if (status === 200 || status === 206 || status === 416) return response;
    await response.body?.cancel();
    const location = response.headers.get("location");
    if (status < 300 || status >= 400 || location === null) throw explain(response, hub);
    const next = URL.canParse(location, url.href) ? new URL(location, url.href) : null;
    if (next === null || !isAllowed(next, url) || hops === MAX_REDIRECTS) {
      throw new HubError("unreachable", `${home.host} redirects to where it must not, or without end`);
    }
    url = next;
  }
}

/** Tries again what may pass, with growing pauses or those that the hub asks for. `gained` starts the count anew. */
export async function withRetries<T>(
  hub: Hub,
  signal: AbortSignal | undefined,
  work: (gained: () => void) => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work(() => {
        failures = 1;
      });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (error instanceof HubError) throw error;
      if (failures >= (hub.tries ?? TRIES)) {
        throw new HubError(
          "unreachable",
          `nothing could be fetched from ${new URL(hub.endpoint).host}: ${reasonOf(error)}`,
          error,
        );
      }
      const grown = FIRST_PAUSE_MS * 2 ** (failures - 1) * (0.5 + Math.random());
      const asked = error instanceof HubBusy ? error.afterMs : undefined;
      await pause(Math.min(asked ?? grown, LONGEST_PAUSE_MS), signal);
    }
  }
}

/** Headers within the limit; the body has its own watch. */
async function answerInTime(url: URL, headers: Headers, silenceMs: number, signal: AbortSignal | undefined) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error(`no answer for ${silenceMs} ms`)), silenceMs);
  const end = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
  try {
    return await fetch(url, { headers, redirect: "manual", signal: end });
  } finally {
    clearTimeout(timer);
  }
}

/** From an encrypted connection there is no way back to a plain one. */
function isAllowed(next: URL, from: URL): boolean {
  return next.protocol === "https:" || (next.protocol === "http:" && from.protocol === "http:");
}

function explain({ status, headers }: Response, { token, endpoint }: Hub): Error {
  const { host } = new URL(endpoint);
  if (WORTH_A_RETRY.has(status)) return new HubBusy(status, readRetryAfter(headers.get("retry-after")));
  if (status === 404) return new HubError("not_found", `${host} knows no such model, revision or file`);
  if (status === 401 || status === 403) {
    const cure =
      token === undefined ? "it may be private, gated or misspelt: set HF_TOKEN" : "HF_TOKEN does not open it";
    return new HubError("refused", `${host} refuses the model (${status}): ${cure}`);
  }
  return new HubError("unreachable", `${host} answered ${status}`);
}

/** Seconds, or a date. */
function readRetryAfter(text: string | null): number | undefined {
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : undefined;
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message ?? String(error);
}
