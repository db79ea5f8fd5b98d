import { Agent, request } from "node:http";

export interface LoadResult {
  /** Milliseconds of each answer. */
  latencies: number[];
  /** Answers other than 200, and requests without one. */
  failures: number;
}

/**
 * Sends requests at a fixed rate whatever becomes of those before (an open loop: a slow server is not sent less), and
 * measures each from when it was due.
 */
export async function steadyLoad(
  next: () => { url: string; headers?: Record<string, string> },
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const result: LoadResult = { latencies: [], failures: 0 };
  const underWay = new Set<Promise<void>>();
  const startedAt = performance.now();
  const count = perSecond * seconds;
  for (let n = 0; n < count; n++) {
    const dueMs = startedAt + (n * 1000) / perSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const { url, headers } = next();
    const sent = send(url, headers ?? {}, agent).then((status) => {
      if (status === 200) result.latencies.push(performance.now() - dueMs);
      else result.failures += 1;
    });
    underWay.add(sent);
    void sent.finally(() => underWay.delete(sent));
  }
  await Promise.all(underWay);
  agent.destroy();
  return result;
}

function send(url: string, headers: Record<string, string>, agent: Agent): Promise<number> {
  return new Promise((done) => {
    const sent = request(url, { agent, headers, timeout: 10_000 }, (response) => {
      response.resume();
      response.once("end", () => done(response.statusCode ?? 0));
      response.once("error", () => done(0));
    });
    sent.once("timeout", () => sent.destroy());
    sent.once("error", () => done(0));
    sent.end();
  });
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
