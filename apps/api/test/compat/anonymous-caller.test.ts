import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ensureTenant, tenantJobs } from "@scribe/database";
import { isPrivate } from "../../src/http/compat/anonymous-caller.ts";
import { startTestApi, type TestApi } from "../start-test-api.ts";
import { form } from "./older-bench.ts";

let open: TestApi;
beforeAll(async () => {
  open = await startTestApi({
    ...{ COMPAT_ANONYMOUS_TENANT: "house", TRUST_PROXY: "127.0.0.1", PUBLIC_URL: "https://speech.example.com/" },
  });
}, 60_000);
afterAll(() => open.stop());
const from = { "X-Forwarded-For": "10.1.2.3" };
const post = (headers: Record<string, string>, path = "/compat/notes/-/jobs") =>
  open.call(path, { method: "POST", body: form(), headers, key: null });

test("a private network without keys acts as the tenant that the operator named, once it is there, with scope transcribe alone", async () => {
  expect((await post(from)).status).toBe(401);
  const { id: tenantId } = await ensureTenant(open.db, "house");
  expect((await post(from)).status).toBe(200);
  expect(await tenantJobs(open.db, tenantId).list({ limit: 5 })).toHaveLength(1);
  const stats = await open.call("/compat/storage/-/storage/stats", { headers: from, key: null });
  expect(stats.status).toBe(403);
  expect((await open.call("/compat/saas/jobs", { headers: from, key: null })).status).toBe(200);
  await open.db.pool.query("UPDATE tenants SET disabled_at = now() WHERE id = $1", [tenantId]);
  expect((await post(from)).status).toBe(401);
  await open.db.pool.query("UPDATE tenants SET disabled_at = NULL WHERE id = $1", [tenantId]);
});

test("a private network is no way in for strangers, with a wrong key, or at other doors", async () => {
  await ensureTenant(open.db, "house");
  expect((await post({ "X-Forwarded-For": "203.0.113.9" })).status).toBe(401);
  expect((await post(from, `/compat/notes/sr_wrong123_${"z".repeat(40)}/jobs`)).status).toBe(401);
  for (const path of ["/api/v1/jobs", "/v1/models", "/runpod/v2/x/health"])
    expect((await open.call(path, { headers: from, key: null })).status).toBe(401);
});

test("a private network is no way in for what an unknown proxy relays, whatever address it says", async () => {
  const closed = await startTestApi({ COMPAT_ANONYMOUS_TENANT: "house" });
  try {
    await ensureTenant(closed.db, "house");
    const jobs = (headers: Record<string, string>) => closed.call("/compat/saas/jobs", { headers, key: null });
    expect((await jobs({})).status).toBe(200);
    for (const address of ["10.1.2.3", "127.0.0.1", "203.0.113.9", "203.0.113.9, 10.1.2.3", "unknown"]) {
      for (const name of ["X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP"]) {
        expect([name, address, (await jobs({ [name]: address })).status]).toEqual([name, address, 401]);
      }
    }
    expect((await jobs({ Forwarded: "for=10.1.2.3" })).status).toBe(401);
    expect((await jobs({ Via: "1.1 somebody" })).status).toBe(401);
  } finally {
    await closed.stop();
  }
}, 60_000);

test("a private network is no way in for further addresses that a stranger writes before the proxy's", async () => {
  await ensureTenant(open.db, "house");
  const jobs = (list: string) => open.call("/compat/saas/jobs", { headers: { "X-Forwarded-For": list }, key: null });
  expect((await jobs("10.1.2.3, 203.0.113.9")).status).toBe(401);
  expect((await jobs("203.0.113.9, 10.1.2.3")).status).toBe(200);
});

test("a private network is no way in for pages of elsewhere, by their origin or by a name that leads here", async () => {
  await ensureTenant(open.db, "house");
  const status = (headers: Record<string, string>) =>
    new Promise<number | undefined>((done, failed) => {
      const { port } = new URL(open.url);
      const sent = { host: `127.0.0.1:${port}`, ...from, ...headers };
      // fetch sends neither a Host nor an Origin of one's own.
      request({ port, host: "127.0.0.1", path: "/compat/saas/jobs", headers: sent }, (response) => {
        response.resume();
        done(response.statusCode);
      })
        .once("error", failed)
        .end();
    });
  for (const host of [
    "127.0.0.1",
    "[::1]:8080",
    "localhost",
    "scribe",
    "scribe:8080",
    "scribe.speech.svc.cluster.local",
    "Speech.example.com",
  ])
    expect([host, await status({ host })]).toEqual([host, 200]);
  for (const host of [
    "evil.example",
    "10.0.0.1.nip.io",
    "local.evil.example",
    "xlocal.example:8080",
    "a b",
    "evil.example.",
  ])
    expect([host, await status({ host })]).toEqual([host, 401]);
  expect(await status({ origin: "https://evil.example" })).toBe(401);
  expect(await status({ origin: "null" })).toBe(401);
  expect(await status({ "sec-fetch-site": "cross-site" })).toBe(401);
  expect(await status({ host: "scribe", origin: "http://scribe" })).toBe(200);
});

test.each([
  ["10.0.0.1", true],
  ["172.31.255.255", true],
  ["172.32.0.1", false],
  ["::ffff:192.168.1.1", true],
  ["::ffff:8.8.8.8", false],
  ["fd00::1", true],
  ["2001:db8::1", false],
  ["", false],
])("%s is private: %p", (address, right) => {
  expect(isPrivate(address)).toBe(right);
});
