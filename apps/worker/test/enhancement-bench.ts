import { afterAll, afterEach, beforeAll, beforeEach, expect } from "@jest/globals";
import { type EnhancementRow, tenantEnhancements, type WantedEnhancement } from "@scribe/database";
import { createChatEndpoint } from "@scribe/enhancement";
import { createDispatcher, openQueues } from "@scribe/queue";
import { startChatStandIn, waitFor } from "@scribe/testing";
import type { EnhancementParts } from "../src/enhance-one.ts";
import { createHeldJobs } from "../src/held-jobs.ts";
import { startEnhancement } from "../src/roles/enhancement.ts";
import type { Role } from "../src/roles/role.ts";
import { log, openWorkerBox, type WorkerBox } from "./worker-box.ts";

export const wanted = (more: Partial<WantedEnhancement> = {}): WantedEnhancement => ({
  ...{ apiKeyId: null, tasks: ["summary", "title", "sentiment"], options: {}, metadata: { my: "own" } },
  ...{ jobId: null, text: "We met. Anna will call.", webhookUrl: "https://example.com/hook", traceparent: null },
  ...more,
});

/** A worker's box for the tests of a file, and a new bench for each of them. */
export function useEnhancementBench() {
  let box: WorkerBox;
  let bench: EnhancementBench;
  beforeAll(async () => {
    box = await openWorkerBox();
  }, 60_000);
  afterAll(() => box.close());
  beforeEach(async () => {
    bench = await openEnhancementBench(box);
  });
  afterEach(() => bench.close());
  return {
    get box() {
      return box;
    },
    get bench() {
      return bench;
    },
  };
}

/** A language model that stands in, queues, and the role that is under test. */
async function openEnhancementBench(box: WorkerBox) {
  const model = await startChatStandIn();
  const queues = await openQueues({ db: box.db, log });
  const dispatcher = createDispatcher({ db: box.db, queues, log, sweepSeconds: 60, kinds: ["enhancement"] });
  const mine = () => tenantEnhancements(box.db, box.tenant.id);
  const row = async (id: string) => (await mine().get(id)) as EnhancementRow;
  const makeParts = (changes: Partial<EnhancementParts["settings"]> = {}): EnhancementParts => ({
    ...box.parts,
    held: createHeldJobs(),
    poke: (kind) => dispatcher.poke(kind),
    settings: {
      chat: createChatEndpoint({
        client: box.parts.outbound,
        baseUrl: model.baseUrl,
        model: "stand-in",
        timeoutMs: 5_000,
      }),
      contextTokens: 8192,
      leaseSeconds: 30,
      questionLimitMs: 30_000,
      retry: { maxFailures: 3, backoffSeconds: () => 0.05 },
      ...changes,
    },
  });
  const bench = {
    model,
    dispatcher,
    role: undefined as Role | undefined,
    mine,
    row,
    makeParts,
    create: async (more: Partial<WantedEnhancement> = {}) => (await mine().create(wanted(more))).id,
    async ends(id: string, status: string) {
      await waitFor(async () => (await row(id)).status === status, {
        timeoutMs: 30_000,
        what: `the enhancement to be ${status}`,
      });
      return await row(id);
    },
    start(parts = makeParts(), concurrency = 2) {
      bench.role = startEnhancement(parts, { queues, concurrency });
      dispatcher.poke("enhancement");
      return parts;
    },
    /** What its receiver is sent. */
    async bodyOf(id: string) {
      const { rows } = await box.db.pool.query<{ body: string }>(
        "SELECT body FROM webhook_deliveries WHERE enhancement_id = $1",
        [id],
      );
      expect(rows).toHaveLength(1);
      return JSON.parse(rows[0]?.body ?? "");
    },
    async close() {
      bench.role?.abort();
      await bench.role?.drain();
      await bench.role?.close();
      await dispatcher.stop();
      await queues.close();
      await model.stop();
    },
  };
  return bench;
}

type EnhancementBench = Awaited<ReturnType<typeof openEnhancementBench>>;
