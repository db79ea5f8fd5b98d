import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestStack, type TestStack } from "@scribe/testing";
import { generateWebhookSecret, signDelivery } from "@scribe/webhooks";

const ROOT = resolve(import.meta.dirname, "../..");
const guide = readFileSync(resolve(ROOT, "docs/api.md"), "utf8");

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
}, 90_000);
afterAll(() => stack?.stop(), 60_000);

test("the commands of the API guide run as they stand", async () => {
  const script = [...guide.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1]).join("\n");
  // Problems are answers too: `--fail-with-body` makes them failures.
  const strict = script.replaceAll("curl -s", "curl --fail-with-body -s");
  const { stdout } = await promisify(execFile)("bash", ["--norc", "-euo", "pipefail", "-c", strict], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, SCRIBE_URL: stack.url, SCRIBE_KEY: stack.key },
    timeout: 60_000,
  });
  expect(stdout).toContain("event: done");
  expect(stdout).toContain("WEBVTT");
  expect(stdout).toContain('"secret":"whsec_');
}, 90_000);

test("its verification accepts what we sign, and nothing else", async () => {
  const folder = mkdtempSync(join(tmpdir(), "scribe-guide-"));
  try {
    const blocks = [...guide.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, block]) => block!);
    const code = blocks.find((block) => block.includes("function isGenuine"))!;
    const file = join(folder, "verify.mjs");
    writeFileSync(file, code.replace("function isGenuine", "export function isGenuine"));
    const { isGenuine } = await import(file);
    const [secret, other] = [generateWebhookSecret(), generateWebhookSecret()];
    const now = Math.floor(Date.now() / 1000);
    const body = Buffer.from('{"type":"job.completed"}');
    const headers = signDelivery({ id: "msg_1", timestamp: now, body }, [other, secret]);
    expect(isGenuine(body, headers, secret)).toBe(true);
    expect(isGenuine(Buffer.from("{}"), headers, secret)).toBe(false);
    expect(isGenuine(body, headers, generateWebhookSecret())).toBe(false);
    expect(isGenuine(body, { ...headers, "webhook-timestamp": String(now - 1) }, secret)).toBe(false);
    const old = signDelivery({ id: "msg_1", timestamp: now - 600, body }, [secret]);
    expect(isGenuine(body, old, secret)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
