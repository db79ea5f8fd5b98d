import { Pool } from "undici";

export interface LoadResult {
  requestsPerSecond: number;
  /** Milliseconds of each request. */
  latencies: number[];
}

export interface Target {
  origin: string;
  method: "GET" | "POST";
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** What each answer must be. */
  status: number;
}

/** Keeps `connections` requests under way for `seconds`, each connection kept alive. Any other answer ends it. */
export async function load(target: Target, o: { connections: number; seconds: number }): Promise<LoadResult> {
  const pool = new Pool(target.origin, { connections: o.connections, pipelining: 1 });
  const latencies: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + o.seconds * 1000;
  const one = async () => {
    while (performance.now() < endsAt) {
      const sentAt = performance.now();
      const { statusCode, body } = await pool.request({
        method: target.method,
        path: target.path,
        headers: { ...target.headers, ...(target.body && { "content-type": "application/json" }) },
        body: target.body ?? null,
      });
      const text = await body.text();
      if (statusCode !== target.status) {
        throw new Error(`${target.method} ${target.path} was answered ${statusCode}: ${text.slice(0, 300)}`);
      }
      latencies.push(performance.now() - sentAt);
    }
  };
  try {
    await Promise.all(Array.from({ length: o.connections }, one));
    return { requestsPerSecond: latencies.length / ((performance.now() - startedAt) / 1000), latencies };
  } finally {
    await pool.close();
  }
}
