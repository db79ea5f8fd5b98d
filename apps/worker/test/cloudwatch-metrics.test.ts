import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { InstanceState } from "@scribe/database";
import { createLogger } from "@scribe/telemetry";
import { waitFor } from "@scribe/testing";
import { embeddedMetrics, tellCloudwatch } from "../src/cloudwatch-metrics.ts";
import { openWorkerBox, type WorkerBox } from "./worker-box.ts";

let box: WorkerBox;
beforeAll(async () => {
  box = await openWorkerBox();
});
afterAll(() => box.close());

const STATE: InstanceState = {
  pending: 2,
  processing: 0,
  ended: { completed: 0, failed: 0, cancelled: 0 },
  queues: [{ queue: "transcription", depth: 1, oldestSeconds: 7 }],
  backlog: [
    { model: "a", priority: "high", audioSeconds: 3000 },
    { model: "b", priority: "low", audioSeconds: 1000 },
  ],
  workers: [],
  storedBytes: 0,
  slotSpeed: 10,
};
const AT = { namespace: "x", slots: 4 };

test("the wait is the backlog over what the live workers do, and that of one where there is none", () => {
  expect(embeddedMetrics(STATE, AT, 1)).toMatchObject({
    ...{ BacklogAudioSeconds: 4000, WaitSeconds: 100, OldestWaitingSeconds: 7, Workers: 0, WaitingWithoutWorkers: 1 },
  });
  const five = { ...STATE, workers: [{ role: "transcription", count: 5 }] };
  expect(embeddedMetrics(five, AT, 1)).toMatchObject({ WaitSeconds: 20, Workers: 5, WaitingWithoutWorkers: 0 });
  const idle = { ...STATE, backlog: [], queues: [] };
  expect(embeddedMetrics(idle, AT, 1)).toMatchObject({
    WaitSeconds: 0,
    OldestWaitingSeconds: 0,
    WaitingWithoutWorkers: 0,
  });
});

test("a line tells every metric that it announces, and all that the template of ECS scales by", () => {
  const told = embeddedMetrics(STATE, AT, 1);
  const [{ Metrics, Namespace }] = told._aws.CloudWatchMetrics;
  expect(Namespace).toBe("x");
  const names = Metrics.map(({ Name }) => Name);
  for (const name of names) expect(told).toHaveProperty(name, expect.any(Number));
  const template = readFileSync(resolve(import.meta.dirname, "../../../deploy/ecs/scribe.yaml"), "utf8");
  const asked = [...template.matchAll(/MetricName: (\S+)/g)].map(([, name]) => name);
  expect(asked.length).toBeGreaterThan(2);
  expect(names).toEqual(expect.arrayContaining(asked));
});

test("it is told again and again, and not while Postgres is away", async () => {
  const lines: string[] = [];
  const warnings: string[] = [];
  const log = createLogger({
    ...{ level: "warn", format: "json", name: "test" },
    destination: { write: (line) => void warnings.push(line) },
  });
  await box.create({ audio: false });
  let away = false;
  const pool = new Proxy(box.db.pool, {
    get: (target, name) =>
      name === "query" && away
        ? () => Promise.reject(new Error("away"))
        : (Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name)),
  });
  const teller = tellCloudwatch({
    db: { ...box.db, pool },
    log,
    namespace: "x",
    slots: 1,
    everyMs: 20,
    write: (line) => void lines.push(line),
  });
  await waitFor(() => (lines.length >= 2 ? true : null), { what: "two lines" });
  away = true;
  await waitFor(() => (warnings.length >= 1 ? true : null), { what: "a warning" });
  const told = lines.length;
  expect(JSON.parse(lines[0]!)).toMatchObject({ BacklogAudioSeconds: 300, WaitingWithoutWorkers: 1 });
  await teller.close();
  expect(lines.length - told).toBeLessThanOrEqual(1);
});
