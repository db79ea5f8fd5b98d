import { expect } from "@jest/globals";
import { REQUEST_ERRORS, type RequestErrorCode } from "@scribe/domain";
import type { Problem } from "../src/http/problem.ts";
import { expectProblem } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

export const HOOK = "https://example.com/hook";

export const item = (n: number, more: object = {}) => ({
  url: `https://example.com/${n}.wav`,
  recording_id: `r${n}`,
  ...more,
});
export const items = (count: number) => Array.from({ length: count }, (_, n) => item(n + 1));

export async function refused(response: Response, code: RequestErrorCode, detail = ""): Promise<Problem> {
  const problem = await expectProblem(response, REQUEST_ERRORS[code], code);
  expect(problem.detail).toContain(detail);
  return problem;
}

export interface Batch {
  batch_id: string;
  status: string;
  progress: number;
  total: number;
  counts: Record<string, number>;
  refused: { count: number; lines: { line: number; errors: { path: string; message: string }[] }[] };
  completed_at: string | null;
  cancelled_at: string | null;
  links: { self: string; results: string; jobs: string };
}

/** An API, and what is done with batches there. */
export async function startBatches(...how: Parameters<typeof startTestApi>) {
  const api: TestApi = await startTestApi(...how);
  const post = (json: object, headers: Record<string, string> = {}) => api.call("/api/v1/batches", { json, headers });
  return {
    api,
    post,
    postLines: (
      lines: readonly (object | string)[],
      type = "application/x-ndjson",
      headers: Record<string, string> = {},
    ) =>
      api.call("/api/v1/batches", {
        method: "POST",
        headers: { "Content-Type": type, ...headers },
        body: lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"),
      }),
    async accept(json: object): Promise<Batch> {
      const response = await post(json);
      expect(response.status).toBe(202);
      return (await response.json()) as Batch;
    },
    read: async (path: string) => (await (await api.call(`/api/v1/batches/${path}`)).json()) as Batch,
    /** Lines of JSON, in their order. */
    results: async (id: string) =>
      (await (await api.call(`/api/v1/batches/${id}/results`)).text())
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    jobsOf: async (batchId: string) =>
      (await api.db.pool.query("SELECT * FROM jobs WHERE batch_id = $1 ORDER BY batch_line", [batchId])).rows,
    deliveries: async () =>
      (await api.db.pool.query("SELECT type, body, batch_id FROM webhook_deliveries")).rows.map((row) => ({
        ...row,
        body: JSON.parse(row.body),
      })),
    rowCount: async (table: string) =>
      (await api.db.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]!.n,
    forgetAll: () => api.db.pool.query("TRUNCATE batches, jobs, webhook_deliveries, idempotency_records CASCADE"),
  };
}

export type BatchBench = Awaited<ReturnType<typeof startBatches>>;
