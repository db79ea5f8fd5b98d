import { makeWav, type TestStack, tone, waitFor } from "@scribe/testing";
import { percentile, printTable } from "../print-table.ts";

const TIMES = 100;

/** An upload whose result is there, next to reading that result, and to an upload that only waits. */
export async function cached(stack: TestStack): Promise<void> {
  const bytes = makeWav({ seconds: 1, signal: tone(440) });
  const submit = async (cache: boolean) => {
    const form = new FormData();
    form.set("engine", "synthetic");
    form.set("metadata", JSON.stringify({ synthetic: JSON.stringify({ windows: 1 }) }));
    form.set("cache", String(cache));
    form.set("file", new Blob([bytes as Uint8Array<ArrayBuffer>]), "short.wav");
    const answer = await stack.call("/api/v1/transcribe/upload", { method: "POST", body: form });
    return (await answer.json()) as { job_id: string; status: string };
  };
  // The worker tells what it has with its next heartbeat.
  let id = "";
  const known = async () => {
    const job = await submit(true);
    id = job.job_id;
    return job.status === "completed";
  };
  await waitFor(known, { timeoutMs: 30_000, everyMs: 500, what: "the first hit" });
  const took = { read: [] as number[], stored: [] as number[], hit: [] as number[], miss: [] as number[] };
  const time = async (into: number[], work: () => Promise<unknown>) => {
    const startedAt = performance.now();
    await work();
    into.push(performance.now() - startedAt);
  };
  // Stored before, so that what is timed is the job alone.
  const uploads: string[] = [];
  for (let n = 0; n < TIMES; n++) uploads.push(await store(stack, bytes));
  const scripted = { engine: "synthetic", cache: true, metadata: { synthetic: JSON.stringify({ windows: 1 }) } };
  const pick = (uploadId: string) => json(stack, "/api/v1/transcribe", { ...scripted, upload_id: uploadId });
  for (const uploadId of uploads) {
    await time(took.read, async () => await (await stack.call(`/api/v1/jobs/${id}`)).json());
    await time(took.stored, () => pick(uploadId));
  }
  for (let n = 0; n < TIMES; n++) await time(took.hit, () => submit(true));
  for (let n = 0; n < TIMES; n++) await time(took.miss, () => submit(false));
  const row = (name: string, values: number[]) => [
    ...[name, values.length, percentile(values, 0.5).toFixed(1), percentile(values, 0.95).toFixed(1)],
  ];
  printTable(
    ["what", "times", "p50 ms", "p95 ms"],
    [
      row("GET of a result", took.read),
      row("a job of a stored upload whose result is there: completed", took.stored),
      row("an upload whose result is there: completed", took.hit),
      row("the same upload, to be worked on: pending", took.miss),
    ],
  );
  console.log("\nA file of one second. The last two store and hash it, too; the worker is busy with the last one's.\n");
}

/** By a door that hashes what it receives: its result can be known before a worker looks. */
async function store(stack: TestStack, bytes: Uint8Array): Promise<string> {
  const body = bytes as Uint8Array<ArrayBuffer>;
  const answer = await stack.call("/assemblyai/v2/upload", { method: "POST", body });
  const { upload_url: url } = (await answer.json()) as { upload_url: string };
  return url.slice(url.lastIndexOf("/") + 1);
}

async function json(stack: TestStack, path: string, body: object): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const answer = await stack.call(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
  return await answer.json();
}
