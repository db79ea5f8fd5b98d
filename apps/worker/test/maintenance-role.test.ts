import { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type { StoredObjects } from "@scribe/database";
import { createDispatcher, openQueues, type Queues } from "@scribe/queue";
import { createLogger } from "@scribe/telemetry";
import { waitFor } from "@scribe/testing";
import { startMaintenance } from "../src/roles/maintenance.ts";
import type { Role } from "../src/roles/role.ts";
import { log, openWorkerBox, type WorkerBox } from "./worker-box.ts";

let box: WorkerBox;
let queues: Queues;
let role: Role;
beforeAll(async () => {
  box = await openWorkerBox();
  queues = await openQueues({ db: box.db, log });
});
afterEach(() => role.close());
afterAll(async () => {
  await queues.close();
  await box.close();
});

const lines: string[] = [];
const written = createLogger({
  ...{ level: "info", format: "json", name: "test" },
  destination: { write: (line: string) => lines.push(line) },
});

const start = (objects: StoredObjects, intervalMs = 50) =>
  startMaintenance(createDispatcher({ db: box.db, queues, log, sweepSeconds: 60 }), {
    ...{ db: box.db, log: written, objects, policy: { audioHours: 24, jobHours: 0 }, intervalMs, firstAfterMs: 10 },
  });

test("erases what is too old, again and again", async () => {
  role = start(box.storage);
  for (let round = 0; round < 2; round++) {
    const { id } = await box.upload(Buffer.from("audio"));
    await box.jobs.cancel(id);
    const { audioKey } = await box.row(id);
    await box.db.pool.query("UPDATE jobs SET completed_at = now() - interval '25 hours' WHERE id = $1", [id]);
    await waitFor(async () => (await box.row(id)).audioKey === null, { what: "the audio to be released" });
    await waitFor(async () => (await box.storage.stat(audioKey!)) === null, { what: "the object to be gone" });
  }
  expect(lines.join("")).toContain('"deleted":1');
});

test("a job whose own time is over goes within a minute, whenever the next run is", async () => {
  lines.length = 0;
  role = startMaintenance(createDispatcher({ db: box.db, queues, log, sweepSeconds: 60 }), {
    ...{ db: box.db, log: written, objects: box.storage, policy: { audioHours: 24, jobHours: 0 } },
    ...{ intervalMs: 3_600_000, dueEveryMs: 20 },
  });
  const { id } = await box.upload(Buffer.from("audio"));
  await box.db.pool.query("UPDATE jobs SET erase_at = now() - interval '1 second' WHERE id = $1", [id]);
  await waitFor(async () => (await box.jobs.get(id)) === null, { what: "the job to be gone" });
  await waitFor(() => lines.join("").includes("jobs whose time was over are erased"), { what: "a line of it" });
});

test("goes on after a failure, and ends at once when the worker does", async () => {
  let asked = 0;
  const failing: StoredObjects = {
    ...box.storage,
    // biome-ignore lint/correctness/useYield: it fails before there is anything to give
    async *list() {
      asked += 1;
      throw new Error("broken");
    },
  };
  role = start(failing);
  await waitFor(() => asked >= 2, { what: "a second run" });
  expect(lines.join("")).toContain("erasing what is too old failed");

  await role.close();
  const hanging: StoredObjects = {
    ...box.storage,
    async *list(_prefix, { signal } = {}) {
      asked = -1;
      await new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
      yield* Readable.from([]) as unknown as AsyncIterable<{ key: string; modifiedAt: Date }>;
    },
  };
  role = start(hanging, 60_000);
  await waitFor(() => asked === -1, { what: "a run that hangs" });
  const before = performance.now();
  await role.drain();
  expect(performance.now() - before).toBeLessThan(1000);
});
