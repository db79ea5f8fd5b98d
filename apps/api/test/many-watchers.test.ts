import { Agent, createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Database, ensureTenant, openDatabase, tenantJobs } from "@scribe/database";
import { type Notifications, openNotifications } from "@scribe/queue";
import { createLogger } from "@scribe/telemetry";
import { createTestDatabase, type TestDatabase, waitFor } from "@scribe/testing";
import { createApiMetrics } from "../src/api-metrics.ts";
import { createEventStreams, type EventStreams } from "../src/streams/event-streams.ts";
import { claim, complete, segment, writeSegments } from "./drive-jobs.ts";

const WATCHERS = 1_000;
const KEYS = 10;

let testDatabase: TestDatabase;
let db: Database;
let notifications: Notifications;
let streams: EventStreams;
let server: Server;
let jobId: string;
let subscriptions = 0;
let queries = 0;
const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  db = openDatabase({ url: testDatabase.url, poolSize: 5, encryptionKey: Buffer.alloc(32), applicationName: "test" });
  const log = createLogger({ level: "silent", format: "json", name: "test" });
  notifications = await openNotifications({ db, log });
  const query = db.pool.query.bind(db.pool);
  db.pool.query = ((...args: Parameters<typeof query>) => {
    queries += 1;
    return query(...args);
  }) as typeof query;
  streams = createEventStreams({
    ...{ db, log, metrics: createApiMetrics() },
    notifications: {
      watch(id, listener) {
        subscriptions += 1;
        return notifications.watch(id, listener);
      },
    },
    waits: { streamCommentMs: 60_000, slowReaderMs: 5_000 },
  });
  const { id: tenantId } = await ensureTenant(db, "default");
  jobId = (
    await tenantJobs(db, tenantId).create({
      ...{ apiKeyId: null, engine: "synthetic", model: "m", options: {}, priority: 2, audioSeconds: 8, metadata: {} },
      ...{ source: { kind: "url", url: "https://example.com/a.wav" }, webhookEvents: [] },
    })
  ).id;
  let opened = 0;
  server = createServer((_request, response) => {
    const keyId = `key-${opened++ % KEYS}`;
    const asExpress = Object.assign(response, { locals: {} }) as never;
    const stillAllowed = async () => true;
    streams
      .serve({ response: asExpress, tenantId, keyId, maxPerKey: WATCHERS / KEYS, jobId, after: 0, stillAllowed })
      .catch(() => response.destroy());
  });
  // Who finds no place in the line before a server's door (511 by itself) tries again after seconds.
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", 2 * WATCHERS, done));
});
afterAll(async () => {
  agent.destroy();
  server.closeAllConnections();
  await new Promise<void>((done) => server.close(() => done()));
  await notifications.close();
  await db.close();
  await testDatabase.drop();
});

/** All that a watcher was sent, as it comes. */
function watch(): { text: () => string; ended: Promise<void> } {
  let text = "";
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const { port } = server.address() as AddressInfo;
  request({ port, host: "127.0.0.1", agent }, (response) => {
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      text += chunk;
    });
    response.on("close", resolve);
  })
    .on("error", () => resolve())
    .end();
  return { text: () => text, ended };
}
const count = (text: string, word: string) => text.split(word).length - 1;

test("a thousand watchers of one job cost one subscription, and one read of what is new", async () => {
  const watchers = Array.from({ length: WATCHERS }, watch);
  const all = (condition: (text: string) => boolean, what: string) =>
    waitFor(() => watchers.every(({ text }) => condition(text())), { timeoutMs: 20_000, what });
  await all((text) => count(text, "event: status") === 1, "the past, to all of them");
  expect(subscriptions).toBe(1);

  const job = await claim(db, jobId);
  await all((text) => count(text, "event: status") === 2, "the claim, to all of them");
  const before = queries;
  for (let i = 0; i < 5; i++) {
    await writeSegments(db, job, [segment(i, ` w${i}`)]);
    await all((text) => count(text, "event: segment") === i + 1, `segment ${i}, to all of them`);
  }
  // The writes themselves, the glances at the job's row, and a read or two of each new event.
  expect(queries - before).toBeLessThan(100);

  // An eleventh key would be fine; one more of these is not.
  const refused = watch();
  await refused.ended;
  expect(refused.text()).toBe("");

  await streams.drain();
  await Promise.all(watchers.map(({ ended }) => ended));
  for (const { text } of watchers) expect(text()).toMatch(/: the server is going away\nretry: 2000\n\n$/);

  const late = watch();
  await complete(db, job, "w");
  await late.ended;
  expect(count(late.text(), "event: segment")).toBe(5);
  expect(count(late.text(), "event: done")).toBe(1);
}, 60_000);
