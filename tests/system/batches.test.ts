import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Receiver, startReceiver, startTestStack, type TestStack, waitFor } from "@scribe/testing";
import { generateWebhookSecret, verifySignature } from "@scribe/webhooks";

let stack: TestStack;
let receiver: Receiver;
beforeAll(async () => {
  [stack, receiver] = await Promise.all([startTestStack(), startReceiver()]);
}, 90_000);
afterAll(async () => {
  const code = await stack?.stop();
  await receiver?.stop();
  expect(code).toBe(0);
}, 60_000);

interface Batch {
  batch_id: string;
  status: string;
  progress: number;
  counts: Record<string, number>;
}

const script = (more: object = {}) => ({
  synthetic: JSON.stringify({ audio: false, windows: 1, text: "Said.", ...more }),
});
const read = async (id: string) => (await (await stack.call(`/api/v1/batches/${id}`)).json()) as Batch;
const results = async (id: string) =>
  (await (await stack.call(`/api/v1/batches/${id}/results`)).text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

async function post(path: string, lines: readonly object[] = []): Promise<Response> {
  const headers = { "content-type": "application/x-ndjson" };
  return await stack.call(path, {
    method: "POST",
    headers,
    body: lines.map((line) => JSON.stringify(line)).join("\n"),
  });
}

test("a manifest goes through API, queue and workers to its results, and one webhook tells its end", async () => {
  const secret = generateWebhookSecret();
  const item = { url: "https://example.org/a.mp3", engine: "synthetic" };
  const answer = await post("/api/v1/batches", [
    { batch: { partial: true, webhook_url: receiver.url, webhook_secret: secret, metadata: { month: 11 } } },
    ...Array.from({ length: 40 }, (_, n) => ({ ...item, recording_id: `call-${n + 1}`, metadata: script() })),
    { ...item, metadata: script({ fail_at: 0, error_code: "language_unsupported" }) },
    { url: "ftp://example.org/a.mp3" },
  ]);
  expect(answer.status).toBe(202);
  const { batch_id: id } = (await answer.json()) as Batch;
  await waitFor(async () => (await read(id)).status === "completed", {
    timeoutMs: 60_000,
    what: "the end of the batch",
  });
  expect(await read(id)).toMatchObject({
    progress: 100,
    counts: { completed: 40, failed: 1, cancelled: 0, pending: 0 },
  });

  const lines = await results(id);
  expect(lines.map(({ line }) => line)).toEqual(Array.from({ length: 42 }, (_, n) => n + 2));
  expect(lines[0]).toMatchObject({ status: "completed", recording_id: "call-1", result: { text: "Said." } });
  expect(lines[40]).toMatchObject({ status: "failed", error: { code: "language_unsupported" } });
  expect(lines[41]).toMatchObject({ status: "refused", errors: [{ path: "url" }] });

  await waitFor(() => receiver.requests.length > 0, { timeoutMs: 20_000, what: "the webhook" });
  const [delivery, ...others] = receiver.requests;
  expect(others).toEqual([]);
  expect(verifySignature(delivery!.body, delivery!.headers, [secret])).toEqual({ ok: true });
  expect(delivery!.json()).toMatchObject({
    type: "batch.completed",
    data: { batch_id: id, total: 41, refused: 1, counts: { completed: 40, failed: 1 }, metadata: { month: 11 } },
  });
}, 120_000);

test("a cancelled batch frees the workers", async () => {
  const item = {
    url: "https://example.org/a.mp3",
    engine: "synthetic",
    metadata: script({ windows: 600, delay_ms: 500 }),
  };
  const { batch_id: id } = (await (
    await post(
      "/api/v1/batches",
      Array.from({ length: 30 }, () => item),
    )
  ).json()) as Batch;
  await waitFor(async () => (await read(id)).counts.processing! > 0, { timeoutMs: 30_000, what: "a job at work" });
  const cancelled = await post(`/api/v1/batches/${id}/cancel`);
  expect(cancelled.status).toBe(202);
  expect(await cancelled.json()).toMatchObject({ status: "cancelled", counts: { cancelled: 30, processing: 0 } });
  const quick = { ...item, metadata: script() };
  const { batch_id: next } = (await (await post("/api/v1/batches", [quick])).json()) as Batch;
  await waitFor(async () => (await read(next)).status === "completed", { timeoutMs: 20_000, what: "a job after them" });
}, 120_000);
