import { setTimeout as sleep } from "node:timers/promises";
import type { Storage } from "@google-cloud/storage";

export interface GcsRequest {
  readonly method: "GET" | "DELETE" | "PUT";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Until the answer's headers are there. */
  readonly limitMs: number;
}

const TRIES = 4;
const FIRST_PAUSE_MS = 500;
/** Statuses that the same request may get otherwise a moment later. */
export const WORTH_A_RETRY: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/**
 * One request with the client's credentials, in a form that can be aborted: the client's own reads go on in the
 * background after an abort, with their connection, and its chunked uploads keep every chunk in memory.
 */
export async function askGcs(storage: Storage, request: GcsRequest): Promise<Response> {
  const { method, url, limitMs, signal, body } = request;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error(`no answer for ${limitMs} ms`)), limitMs);
  const headers = new Headers(request.headers);
  try {
    // What stands in for Google is sent no token, as the client itself does.
    if (!storage.customEndpoint) {
      for (const [name, value] of await storage.authClient.getRequestHeaders(url)) headers.set(name, value);
    }
    const end = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
    return await fetch(url, { method, headers, signal: end, redirect: "manual", ...(body && { body: body as never }) });
  } finally {
    clearTimeout(timer);
  }
}

/** The same, with a few tries where an answer may pass. */
export async function requestGcs(storage: Storage, request: GcsRequest): Promise<Response> {
  const { signal } = request;
  for (let tries = 1; ; tries++) {
    try {
      const response = await askGcs(storage, request);
      if (tries === TRIES || !WORTH_A_RETRY.has(response.status)) return response;
      await response.body?.cancel();
    } catch (error) {
      if (signal?.aborted || tries === TRIES) throw error;
    }
    await sleep(FIRST_PAUSE_MS * 2 ** (tries - 1) * (0.5 + Math.random()), undefined, signal ? { signal } : {});
  }
}
