import { setTimeout as sleep } from "node:timers/promises";
import { startTestStack, type TestStack } from "@scribe/testing";
import { longRecording } from "./long-recording.ts";
import type { BenchOptions } from "./main.ts";
import { openBenchDatabase } from "./open-bench-database.ts";
import { median, printTable } from "./print-table.ts";

const POLL_MS = 50;

interface JobView {
  status: string;
  created_at: string;
  started_at: string;
  completed_at: string;
  model: string;
  result?: { text: string; segments: unknown[] };
  error?: { message: string };
}

/** A recording as upload → 202 → result, the default model on this machine. */
export async function endToEnd({ minutes, rounds }: BenchOptions): Promise<void> {
  const database = await openBenchDatabase();
  const stack = await startTestStack(database.env);
  try {
    const { bytes, seconds } = longRecording(minutes);
    // The first job loads the model; that is the matter of `cold-start`.
    await transcribe(stack, longRecording(0.5).bytes);
    const rows: (string | number)[][] = [];
    const factors: number[] = [];
    let model = "";
    for (let round = 1; round <= rounds; round++) {
      const { uploadSeconds, job } = await transcribe(stack, bytes);
      const span = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 1000;
      const total = uploadSeconds + span(job.created_at, job.completed_at);
      factors.push(total / seconds);
      model = job.model;
      rows.push([
        ...[round, uploadSeconds.toFixed(2), span(job.created_at, job.started_at).toFixed(2)],
        ...[span(job.started_at, job.completed_at).toFixed(2), (total / seconds).toFixed(4)],
        ...[(seconds / total).toFixed(1), job.result?.segments.length ?? 0],
      ]);
    }
    printTable(["round", "upload s", "waiting s", "work s", "real-time factor", "× real time", "segments"], rows);
    const factor = median(factors);
    console.log(
      `\nMedian: ${minutes} minutes of audio in ${(factor * seconds).toFixed(1)} s, real-time factor ${factor.toFixed(4)}`,
    );
    console.log(`Compared with the recording's own length. Model ${model}; upload, decoding and all writes included.`);
  } finally {
    await stack.stop();
    await database.stop();
  }
}

async function transcribe(stack: TestStack, bytes: Uint8Array<ArrayBuffer>) {
  const form = new FormData();
  // Each round is to be heard anew.
  form.set("cache", "false");
  form.set("file", new Blob([bytes]), "bench.wav");
  const startedAt = performance.now();
  const answer = await stack.call("/api/v1/transcribe/upload", { method: "POST", body: form });
  const uploadSeconds = (performance.now() - startedAt) / 1000;
  if (answer.status !== 202) throw new Error(`The upload was answered ${answer.status}: ${await answer.text()}`);
  const { job_id: id } = (await answer.json()) as { job_id: string };
  for (;;) {
    const job = (await (await stack.call(`/api/v1/jobs/${id}`)).json()) as JobView;
    if (job.status === "completed") return { uploadSeconds, job };
    if (job.status === "failed" || job.status === "cancelled")
      throw new Error(`The job ${job.status}: ${job.error?.message}`);
    await sleep(POLL_MS);
  }
}
