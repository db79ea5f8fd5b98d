import { expectEqual } from "./expect.ts";
import type { Stage } from "./stage.ts";

const AGAIN_MS = 200;

/** Asks until `done` holds for an answer, as callers without an official client do. */
export async function until<T>(ask: () => Promise<T>, done: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (done(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** The text of a job of our own API, once it is completed. */
export async function completed(stage: Stage, jobId: string): Promise<string> {
  const ask = async () => (await (await stage.stack.call(`/api/v1/jobs/${jobId}`)).json()) as Job;
  const job = await until(ask, ({ status }) => !["pending", "processing"].includes(status));
  expectEqual([job.status, job.error ?? null], ["completed", null], "how the job ended");
  return job.result?.text ?? "";
}

interface Job {
  status: string;
  error?: unknown;
  result?: { text: string };
}
