import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "../start-test-api.ts";

const PATH = "/assemblyai/v2/transcript";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
}, 60_000);
afterAll(() => api.stop());

interface Page {
  page_details: { prev_url: string | null; next_url: string | null; result_count: number };
  transcripts: { id: string }[];
}

/** A transcript of that time. */
async function create(time: string): Promise<string> {
  const json = { audio_url: "https://example.com/a.wav" };
  const { id } = (await (await api.call(PATH, { json })).json()) as { id: string };
  await api.db.pool.query("UPDATE jobs SET created_at = $2 WHERE id = $1", [id, time]);
  return id;
}
const page = async (path: string) => (await (await api.call(`/assemblyai${path}`)).json()) as Page;

test("a list's further pages are asked for as the first was", async () => {
  await create("2026-01-01T23:59:59Z");
  const last = await create("2026-01-02T00:00:00Z");
  const cancelled = await create("2026-01-02T01:00:00Z");
  await api.call(`/api/v1/jobs/${cancelled}/cancel`, { method: "POST" });
  const first = await create("2026-01-02T23:59:59Z");
  await create("2026-01-03T00:00:00Z");
  const seen: string[] = [];
  let url: string | null = "/v2/transcript?limit=1&status=queued&created_on=2026-01-02";
  while (url !== null) {
    const { page_details, transcripts }: Page = await page(url);
    seen.push(...transcripts.map(({ id }) => id));
    url = page_details.prev_url;
  }
  expect(seen).toEqual([first, last]);
});

test("a day bounds what came after a transcript of another day", async () => {
  const before = await create("2026-02-01T10:00:00Z");
  await create("2026-02-02T10:00:00Z");
  const [early, late] = [await create("2026-02-03T10:00:00Z"), await create("2026-02-03T11:00:00Z")];
  const after = async (id: string) =>
    (await page(`/v2/transcript?created_on=2026-02-03&after_id=${id}`)).transcripts.map(({ id }) => id);
  expect(await after(before)).toEqual([late, early]);
  expect(await after(early)).toEqual([late]);
});
