import { resolve } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import { type RunningProcess, startProcess } from "@scribe/testing";
import { generateWebhookSecret, signDelivery } from "@scribe/webhooks";

const CLI = resolve(import.meta.dirname, "../src/main.ts");
const secret = generateWebhookSecret();

let child: RunningProcess | undefined;
afterEach(async () => {
  await child?.kill();
});

async function listen(...args: string[]) {
  child = startProcess(CLI, {}, { args: ["webhooks", "listen", ...args] });
  const [, url] = await child.waitForOutput(/(http:\/\/127\.0\.0\.1:\d+\/)/);
  return { child, url: url! };
}

const body = JSON.stringify({ type: "job.completed", data: { job_id: "1" } });
const post = (url: string, headers: Record<string, string>) => fetch(url, { method: "POST", headers, body });
const signed = () => signDelivery({ id: "delivery-1", timestamp: Math.floor(Date.now() / 1000), body }, [secret]);

test("what verifies is answered and printed; what does not is refused and printed as that", async () => {
  const { child, url } = await listen("--secret", secret);
  expect((await post(url, signed())).status).toBe(204);
  await child.waitForOutput(/job\.completed {2}delivery-1 {2}verified/);
  expect((await post(url, { ...signed(), "webhook-signature": "v1,AAAA" })).status).toBe(401);
  await child.waitForOutput(/NOT VERIFIED: no signature matches/);
  child.signal("SIGINT");
  expect(await child.exit).toMatchObject({ code: 0 });
});

test("answers as told, and speaks JSON", async () => {
  const { child, url } = await listen("--secret", secret, "--status", "500", "--json");
  expect((await post(url, signed())).status).toBe(500);
  const [line] = await child.waitForOutput(/\{"at".*\}/);
  expect(JSON.parse(line)).toMatchObject({ id: "delivery-1", type: "job.completed", verified: true });
});

test.each([
  [["--secret", "nonsense"], "whsec_"],
  [["--secret", secret, "--status", "99"], "--status"],
  [["--secret", secret, "--port", "x"], "whole number"],
  [["--url", "http://127.0.0.1:1"], "key is needed"],
])("%j is wrong usage", async (args, said) => {
  child = startProcess(CLI, { SCRIBE_DATA_DIR: "/nonexistent" }, { args: ["webhooks", "listen", ...args] });
  expect(await child.exit).toMatchObject({ code: 2 });
  expect(child.output()).toContain(said);
});
