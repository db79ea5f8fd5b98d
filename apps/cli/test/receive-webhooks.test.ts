import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { generateWebhookSecret, signDelivery } from "@scribe/webhooks";
import { receiveWebhooks, type WebhookReceiver } from "../src/demo/receive-webhooks.ts";

const secret = generateWebhookSecret();
const never = new AbortController().signal;
let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await receiveWebhooks(secret);
});
afterEach(() => receiver.close());

function deliver(jobId: string, key: string) {
  const body = JSON.stringify({ type: "job.completed", timestamp: "", data: { job_id: jobId, status: "completed" } });
  const headers = signDelivery({ id: "msg", timestamp: Math.floor(Date.now() / 1000), body }, [key]);
  return fetch(receiver.url, { method: "POST", headers, body });
}

test("a delivery that verifies is handed over, whether it comes before or after somebody waits", async () => {
  expect((await deliver("one", secret)).status).toBe(204);
  expect(await receiver.waitFor("one", 1000, never)).toMatchObject({ type: "job.completed", data: { job_id: "one" } });
  const waiting = receiver.waitFor("two", 5000, never);
  await deliver("two", secret);
  expect(await waiting).toMatchObject({ data: { job_id: "two" } });
});

test("a wrong signature is refused, and ends the waiting with an error", async () => {
  expect((await deliver("one", generateWebhookSecret())).status).toBe(401);
  await expect(receiver.waitFor("one", 1000, never)).rejects.toThrow("whose signature is wrong: no signature matches");
});

test("a webhook that does not come is an error that says how long was waited", async () => {
  await expect(receiver.waitFor("one", 50, never)).rejects.toThrow("No webhook came for job one within 0.05 s.");
  await expect(receiver.waitFor("one", 5000, AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
});
