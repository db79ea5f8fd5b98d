import { setTimeout as sleep } from "node:timers/promises";
import type { Storage } from "@google-cloud/storage";

export interface GcsRequest {
  readonly method: "GET" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Until the answer's headers are there. */
  readonly limitMs: number;
}

const TRIES = 4;
const FIRST_PAUSE_MS = 500;
const WORTH_A_RETRY = new Set([408, 429, 500, 502, 503, 504]);

/**
 * A request that the client has no abortable form of: its own reads go on in the background after an abort, with their
 * connection. Credentials are the client's. Statuses that may pass are tried again, a few times.
 */
export async function requestGcs(storage: Storage, request: GcsRequest): Promise<Response> {
  const { method, url, limitMs, signal } = request;
  for (let tries = 1; ; tries++) {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer for ${limitMs} ms`)), limitMs);
    const headers = new Headers(request.headers);
    try {
      // What stands in for Google is sent no token, as the client itself does.
      if (!storage.customEndpoint) {
        for (const [name, value] of await storage.authClient.getRequestHeaders(url)) headers.set(name, value);
      }
      const end = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
      const response = await fetch(url, { method, headers, signal: end });
      if (tries === TRIES || !WORTH_A_RETRY.has(response.status)) return response;
      await response.body?.cancel();
    } catch (error) {
      if (signal?.aborted || tries === TRIES) throw error;
    } finally {
      clearTimeout(timer);
    }
    await sleep(FIRST_PAUSE_MS * 2 ** (tries - 1) * (0.5 + Math.random()), undefined, signal ? { signal } : {});
  }
}
