import { afterEach, expect, test } from "@jest/globals";
import { createMetrics } from "@scribe/telemetry";
import { type HealthServer, startHealthServer } from "../src/http/health-server.ts";

let server: HealthServer;
afterEach(() => server.close());

async function start(whyNotReady: () => Promise<string | null> = async () => null) {
  const registry = createMetrics({ defaults: false });
  server = await startHealthServer({ port: 0, host: "127.0.0.1", version: "1.2.3", registry, whyNotReady });
  return async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return { status: response.status, text: await response.text() };
  };
}

test("a worker says that it lives, whatever its dependencies do", async () => {
  const ask = await start(async () => "the database is away");
  expect(await ask("/health")).toMatchObject({ status: 200, text: expect.stringContaining('"version":"1.2.3"') });
});

test("a worker is ready, or says why not, also where it cannot find out", async () => {
  let answer: () => Promise<string | null> = async () => null;
  const ask = await start(() => answer());
  expect((await ask("/ready")).status).toBe(200);
  answer = async () => "the worker is shutting down";
  expect(await ask("/ready")).toMatchObject({ status: 503, text: expect.stringContaining("shutting down") });
  answer = () => Promise.reject(new Error("secret"));
  expect(await ask("/ready")).toMatchObject({ status: 503, text: expect.not.stringContaining("secret") });
  answer = () => new Promise(() => {});
  expect((await ask("/ready")).status).toBe(503);
});

test("a worker shows its metrics, and nothing else", async () => {
  const ask = await start();
  expect((await ask("/metrics")).status).toBe(200);
  expect((await ask("/")).status).toBe(404);
  expect((await ask("/health", "POST")).status).toBe(405);
});
