import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { makeWav, silence } from "@scribe/testing";
import { finish } from "./drive-jobs.ts";
import { expectProblem } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
}, 60_000);
afterAll(() => api.stop());

type Accepted = { job_id: string };
const submit = async () => {
  const json = { url: "https://example.com/a.wav", recording_id: "r" };
  return ((await (await api.call("/api/v1/transcribe", { json })).json()) as Accepted).job_id;
};
const act = (id: string, what: string, init: { key?: string; headers?: Record<string, string> } = {}) =>
  api.call(`/api/v1/jobs/${id}/${what}`, { method: "POST", ...init });

test("a cancelled job is tried again as a new one that names it", async () => {
  const id = await submit();
  await act(id, "cancel");
  const trace = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };
  const response = await act(id, "retry", { headers: trace });
  expect(response.status).toBe(202);
  const { job_id } = (await response.json()) as Accepted;
  expect(job_id).not.toBe(id);
  expect(response.headers.get("location")).toBe(`/api/v1/jobs/${job_id}`);
  const view = await (await api.call(`/api/v1/jobs/${job_id}`)).json();
  expect(view).toMatchObject({ status: "pending", retry_of: id, recording_id: "r", attempts: 0 });
  const { rows } = await api.db.pool.query("SELECT traceparent FROM jobs WHERE id = $1", [job_id]);
  expect(rows).toEqual([trace]);
});

test("an Idempotency-Key makes one new job of many equal posts", async () => {
  const [id, other] = [await submit(), await submit()];
  await act(id, "cancel");
  await act(other, "cancel");
  const headers = { "Idempotency-Key": "again" };
  const answers = await Promise.all(Array.from({ length: 10 }, () => act(id, "retry", { headers })));
  const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as Accepted).job_id));
  expect(new Set(ids).size).toBe(1);
  expect(answers.filter((answer) => answer.headers.get("idempotency-replayed") === "true")).toHaveLength(9);
  await expectProblem(await act(other, "retry", { headers }), 422, "idempotency_mismatch");
});

test("a live or completed job is 409, another tenant's 404", async () => {
  const id = await submit();
  await expectProblem(await act(id, "retry"), 409, "conflict");
  await finish(api.db, id, []);
  await expectProblem(await act(id, "retry"), 409, "conflict");
  const { key } = await api.makeKey(["transcribe"], { tenant: "theirs" });
  await expectProblem(await act(id, "retry", { key }), 404, "not_found");
});

test("an upload is tried again while it is stored, and is 409 once it is gone", async () => {
  const form = new FormData();
  form.set("file", new Blob([makeWav({ seconds: 1, signal: silence })]), "a.wav");
  const { job_id: id } = (await (
    await api.call("/api/v1/transcribe/upload", { method: "POST", body: form })
  ).json()) as Accepted;
  await act(id, "cancel");
  expect((await act(id, "retry")).status).toBe(202);
  const { rows } = await api.db.pool.query("SELECT DISTINCT audio_key AS key FROM jobs WHERE audio_key IS NOT NULL");
  expect(rows).toHaveLength(1);
  await api.db.pool.query("UPDATE jobs SET audio_key = NULL WHERE id = $1", [id]);
  const { detail } = await expectProblem(await act(id, "retry"), 409, "conflict");
  expect(detail).toContain("no longer stored");
});
