import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { claimDelivery, finishDeliveryTry } from "@scribe/database";
import { type Receiver, startReceiver } from "@scribe/testing";
import { verifySignature } from "@scribe/webhooks";
import { finish } from "./drive-jobs.ts";
import { expectProblem, paths } from "./expect-problem.ts";
import { ADMIN_KEY, startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
let receiver: Receiver;
beforeAll(async () => {
  api = await startTestApi({ ALLOW_PRIVATE_NETWORKS: "127.0.0.0/8" });
  receiver = await startReceiver();
}, 60_000);
afterAll(async () => {
  await receiver.stop();
  await api.stop();
});

interface Endpoint {
  id: string;
  origin: string;
  path: string;
  status: string;
}
interface Delivery {
  id: string;
  status: string;
  attempts: { status: number | null; response: string | null }[];
}

const call = async <T>(path: string, json?: object, key = ADMIN_KEY) => {
  const response = await api.call(`/api/v1/webhooks/${path}`, { key, ...(json === undefined ? {} : { json }) });
  return { response, status: response.status, body: response.ok ? ((await response.json()) as T) : (undefined as T) };
};
const post = (path: string, key = ADMIN_KEY) => api.call(`/api/v1/webhooks/${path}`, { key, method: "POST" });

async function aDelivery(hook: string): Promise<Delivery> {
  const json = { url: "https://example.com/a.wav", webhook_url: hook };
  const { job_id } = (await (await api.call("/api/v1/transcribe", { json })).json()) as { job_id: string };
  await finish(api.db, job_id, []);
  return (await call<{ data: Delivery[] }>(`deliveries?job_id=${job_id}`)).body.data[0]!;
}

async function answered410(id: string): Promise<void> {
  const { leaseEpoch: epoch } = (await claimDelivery(api.db, id, { leaseSeconds: 30 }))!;
  await finishDeliveryTry(api.db, { id, epoch }, { status: 410, durationMs: 1, outcome: "gone" });
}

test("an endpoint that is gone is listed as disabled, skipped, and enabled again", async () => {
  const hook = "https://example.com/gone";
  await answered410((await aDelivery(`${hook}?token=secret`)).id);
  const skipped = await aDelivery(hook);
  expect(skipped.status).toBe("skipped");
  const { body } = await call<{ data: Endpoint[] }>("endpoints");
  expect(JSON.stringify(body)).not.toContain("token");
  const [endpoint] = body.data;
  expect(endpoint).toMatchObject({ origin: "https://example.com", path: "/gone", status: "disabled" });
  await expectProblem(await post(`deliveries/${skipped.id}/redeliver`), 409, "conflict");

  const { key: theirs } = await api.makeKey(["manage"], { tenant: "theirs" });
  await expectProblem(await post(`endpoints/${endpoint!.id}/enable`, theirs), 404, "not_found");
  await expectProblem(await post(`endpoints/${endpoint!.id}/enable`, api.key), 403, "forbidden");
  const enabled = await post(`endpoints/${endpoint!.id}/enable`);
  expect([enabled.status, await enabled.json()]).toEqual([200, expect.objectContaining({ status: "enabled" })]);
  expect((await aDelivery(hook)).status).toBe("pending");
});

test("a delivery is sent again under its id, and only its own tenant may ask for it", async () => {
  const { id } = await aDelivery("https://example.com/again");
  const { leaseEpoch: epoch } = (await claimDelivery(api.db, id, { leaseSeconds: 30 }))!;
  await finishDeliveryTry(api.db, { id, epoch }, { status: 500, durationMs: 1, outcome: "failed" });
  const again = await post(`deliveries/${id}/redeliver`);
  expect(again.status).toBe(202);
  expect(await again.json()).toMatchObject({ id, status: "pending", finished_at: null, attempts: [{ status: 500 }] });
  const { key: theirs } = await api.makeKey(["manage"], { tenant: "theirs" });
  await expectProblem(await post(`deliveries/${id}/redeliver`, theirs), 404, "not_found");
  await expectProblem(await post("deliveries/nothing/redeliver"), 404, "not_found");
});

test("a rotated secret signs beside the one before", async () => {
  const { body: before } = await call<{ secret: string }>("secret");
  const rotated = await post("secret/rotate");
  expect(rotated.headers.get("cache-control")).toBe("no-store");
  const after = (await rotated.json()) as { secret: string; previous_secret: string };
  expect(after.previous_secret).toBe(before.secret);
  expect(after.secret).not.toBe(before.secret);
  expect((await call("secret")).body).toEqual(after);
  const ping = await call<{ delivered: boolean }>("test", { url: `${receiver.url}/rotated` });
  expect(ping.body.delivered).toBe(true);
  const request = receiver.requests.find(({ path }) => path === "/rotated")!;
  for (const secret of Object.values(after)) {
    expect(verifySignature(request.body, request.headers, [secret])).toEqual({ ok: true });
  }
  await expectProblem(await post("secret/rotate", api.key), 403, "forbidden");
  const { rows } = await api.db.pool.query("SELECT detail FROM audit WHERE action = 'webhook_secret.rotated'");
  expect(rows).toEqual([{ detail: {} }]);
});

describe("a test", () => {
  test("sends a signed ping, says how it went, and is in the log without what came from inside", async () => {
    receiver.answer([{ status: 500, body: "inside" }]);
    const { status, body } = await call<object>("test", { url: `${receiver.url}/ping` });
    expect(status).toBe(200);
    const error = "The receiver answered 500.";
    expect(body).toEqual({ delivered: false, status: 500, duration_ms: expect.any(Number), error });
    const request = receiver.requests.at(-1)!;
    expect(request.json()).toMatchObject({ type: "ping", data: {} });
    const { data } = (await call<{ data: Delivery[] }>("deliveries?status=failed")).body;
    expect(data.find(({ id }) => id === request.headers["webhook-id"])).toMatchObject({
      attempts: [{ status: 500, response: null }],
    });
  });

  test("of a receiver that is not there says so", async () => {
    const { body } = await call("test", { url: "http://127.0.0.1:1/x" });
    expect(body).toMatchObject({ delivered: false, status: null, error: expect.any(String) });
  });

  test("is refused where the address is inside, or none", async () => {
    const inside = await call("test", { url: "http://10.0.0.1/x" });
    await expectProblem(inside.response, 400, "url_not_allowed");
    for (const json of [{}, { url: "ftp://example.com" }]) {
      expect(paths(await expectProblem((await call("test", json)).response, 400, "invalid_request"))).toEqual(["url"]);
    }
  });

  test("is done ten times a minute, a tenant", async () => {
    const { key } = await api.makeKey(["manage"], { tenant: "pinger" });
    const all = await Promise.all(Array.from({ length: 12 }, () => call("test", { url: receiver.url }, key)));
    expect(all.map(({ status }) => status).sort()).toEqual([...Array(10).fill(200), 429, 429]);
    const refused = all.find(({ status }) => status === 429)!;
    expect(refused.response.headers.get("retry-after")).not.toBeNull();
    await expectProblem(refused.response, 429, "rate_limited");
  });
});
