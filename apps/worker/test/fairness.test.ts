import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type BatchItem, ensureTenant, tenantBatches, tenantJobs } from "@scribe/database";
import { createDispatcher, type Dispatcher, openQueues, type Queues } from "@scribe/queue";
import { waitFor } from "@scribe/testing";
import type { Role } from "../src/roles/role.ts";
import { startTranscription } from "../src/roles/transcription.ts";
import { log, openWorkerBox, type WorkerBox } from "./worker-box.ts";

const JOB_MS = 400;
const QUEUED = 5_000;

let box: WorkerBox;
let queues: Queues;
let dispatcher: Dispatcher;
let role: Role;
beforeAll(async () => {
  box = await openWorkerBox();
  queues = await openQueues({ db: box.db, log });
  dispatcher = createDispatcher({ db: box.db, queues, log, sweepSeconds: 5, ageingSeconds: 600 });
  role = startTranscription({ ...box.parts, poke: (kind) => dispatcher.poke(kind) }, { queues, concurrency: 1 });
}, 60_000);
afterAll(async () => {
  await dispatcher.stop();
  role.abort();
  await role.drain();
  await role.close();
  await queues.close();
  await box.close();
});

const script = (n: number): BatchItem => ({
  ...{ line: n, engine: "synthetic", model: "synthetic", options: {}, priority: 2, audioSeconds: 30 },
  source: { kind: "url", url: "http://127.0.0.1:9/none" },
  metadata: { synthetic: JSON.stringify({ audio: false, windows: 1, delay_ms: JOB_MS }) },
});

test("a tenant's one job waits for no more than the job that runs, however many another has queued", async () => {
  const many = tenantBatches(box.db, (await ensureTenant(box.db, "many")).id);
  const one = tenantJobs(box.db, (await ensureTenant(box.db, "one")).id);
  const { id } = await many.create({
    ...{ apiKeyId: null, metadata: {}, refused: [] },
    items: Array.from({ length: QUEUED }, (_, n) => script(n + 1)),
  });
  dispatcher.start();
  const done = async () => (await many.get(id))?.completed ?? 0;
  await waitFor(async () => (await done()) >= 2, { timeoutMs: 20_000, what: "the first jobs of the many" });

  const waits: number[] = [];
  for (let round = 0; round < 4; round++) {
    const { line: _line, ...job } = script(1);
    const { id: jobId } = await one.create({ ...job, apiKeyId: null, webhookEvents: [] });
    dispatcher.poke("transcription");
    await waitFor(async () => (await one.get(jobId))?.status === "completed", {
      timeoutMs: 20_000,
      what: "the one job",
    });
    const row = (await one.get(jobId))!;
    waits.push(row.startedAt!.getTime() - row.createdAt.getTime());
    // At another moment of the running job each time.
    await delay(60 * round);
  }
  expect(Math.max(...waits)).toBeLessThan(JOB_MS + 1_000);
  // The many were not stopped meanwhile, and the most of them wait still.
  expect(await done()).toBeGreaterThan(2);
  expect(await done()).toBeLessThan(QUEUED / 2);
}, 60_000);
