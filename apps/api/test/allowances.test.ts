import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { waitFor } from "@scribe/testing";
import { expectProblem } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";
import { postForm, wavPart } from "./uploads.ts";

let api: TestApi;
afterEach(() => api.stop());

const submit = () => api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav" } });
const idOf = async (response: Response) => ((await response.json()) as { job_id: string }).job_id;

test("MAX_QUEUED_AUDIO_SECONDS: as much audio as it says may wait, and not a second more", async () => {
  // An address without a history counts as 300 s.
  api = await startTestApi({ MAX_QUEUED_AUDIO_SECONDS: "600" });
  const first = await submit();
  expect([first.status, (await submit()).status]).toEqual([202, 202]);
  const problem = await expectProblem(await submit(), 429, "quota_exceeded");
  expect(problem.detail).toContain("600 seconds");
  await api.call(`/api/v1/jobs/${await idOf(first)}/cancel`, { method: "POST" });
  expect((await submit()).status).toBe(202);
}, 60_000);

test("MAX_DAILY_AUDIO_SECONDS: a second less than two jobs have takes one", async () => {
  api = await startTestApi({ MAX_DAILY_AUDIO_SECONDS: "599" });
  expect((await submit()).status).toBe(202);
  const problem = await expectProblem(await submit(), 429, "quota_exceeded");
  expect(problem.detail).toContain("599 seconds a day");
}, 60_000);

test("MAX_CONCURRENT_JOBS: so many are given to workers, the others wait until one has ended", async () => {
  api = await startTestApi({ MAX_CONCURRENT_JOBS: "2", DISPATCH_WINDOW: "50", SWEEP_INTERVAL_SECONDS: "1" });
  const given = async () => {
    const { rows } = await api.db.pool.query<{ id: string }>(
      "SELECT id FROM jobs WHERE dispatched_at IS NOT NULL AND status = 'pending'",
    );
    return rows.map(({ id }) => id);
  };
  for (let i = 0; i < 4; i++) expect((await submit()).status).toBe(202);
  const first = await waitFor(
    async () => {
      const ids = await given();
      return ids.length === 2 ? ids : null;
    },
    { what: "two that are given to workers" },
  );
  await sleep(1_500);
  expect(await given()).toHaveLength(2);
  await api.call(`/api/v1/jobs/${first[0]}/cancel`, { method: "POST" });
  await waitFor(async () => (await given()).some((id) => !first.includes(id)), { what: "the next" });
  expect(await given()).toHaveLength(2);
}, 60_000);

test("STORAGE_RESERVE_BYTES: uploads are taken while the disk keeps it, and refused where it does not", async () => {
  const { bavail, bsize } = await statfs(tmpdir());
  api = await startTestApi({ STORAGE_RESERVE_BYTES: String(Math.floor((bavail * bsize) / 2)) });
  expect((await postForm(api, [wavPart])).status).toBe(202);
  await api.stop();
  api = await startTestApi({ STORAGE_RESERVE_BYTES: String(2 ** 50) });
  await expectProblem(await postForm(api, [wavPart]), 507, "insufficient_storage");
  expect(await api.allFiles()).toEqual([]);
  // An address needs no room here.
  expect((await submit()).status).toBe(202);
}, 60_000);
