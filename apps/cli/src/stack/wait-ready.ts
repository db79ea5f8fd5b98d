import { setTimeout as sleep } from "node:timers/promises";

const EVERY_MS = 40;

/** Asks `url` until it answers 200. Throws where that takes longer than `timeoutMs` or `signal` aborts. */
export async function waitReady(url: string, o: { timeoutMs: number; signal: AbortSignal }): Promise<void> {
  const late = AbortSignal.timeout(o.timeoutMs);
  const signal = AbortSignal.any([o.signal, late]);
  let last = "it does not listen";
  while (!signal.aborted) {
    try {
      const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) });
      const body = await response.text();
      if (response.ok) return;
      last = `it answers ${response.status} ${body.slice(0, 300)}`;
    } catch {
      // Not listening yet, or slow: asked again.
    }
    await sleep(EVERY_MS, undefined, { signal }).catch(() => {});
  }
  o.signal.throwIfAborted();
  throw new Error(`${url} was not ready within ${o.timeoutMs / 1000} s: ${last}.`);
}
