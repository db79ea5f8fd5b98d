import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { tenantJobs } from "@scribe/database";
import { claim, complete, finish, segment, writeSegments } from "./drive-jobs.ts";
import { expectProblem, paths } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
}, 60_000);
afterAll(() => api.stop());

async function submit(fields: object = {}, key?: string): Promise<string> {
  const response = await api.call("/api/v1/transcribe", {
    json: { url: "https://example.com/a.wav", ...fields },
    ...(key && { key }),
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as { job_id: string }).job_id;
}

async function said(texts: string[], fields: object = {}, key?: string): Promise<string> {
  const id = await submit(fields, key);
  await finish(
    api.db,
    id,
    texts.map((text, i) => segment(i, text)),
  );
  return id;
}

interface Hit {
  job_id: string;
  segment_id: number;
  text: string;
  start: number;
  highlights: { start: number; end: number }[];
}

async function search(
  query: Record<string, string>,
  key?: string,
): Promise<{ data: Hit[]; next_cursor: string | null }> {
  const response = await api.call(`/api/v1/search?${new URLSearchParams(query)}`, key ? { key } : {});
  const text = await response.text();
  expect([response.status, text]).toEqual([200, expect.any(String)]);
  return JSON.parse(text);
}

const texts = ({ data }: { data: Hit[] }) => data.map(({ text }) => text);

describe("a search", () => {
  test("finds segments by their words' stems, with times and what was found", async () => {
    const id = await said([" Nothing here", " The gardeners were watering tulips", " and <b>roses</b>"], {
      recording_id: "garden",
    });
    const found = await search({ q: "tulip gardener" });
    expect(found).toEqual({
      data: [
        {
          ...{ job_id: id, recording_id: "garden", created_at: expect.any(String), segment_id: 1, start: 2, end: 3.5 },
          ...{ text: " The gardeners were watering tulips" },
          highlights: [
            { start: 5, end: 14 },
            { start: 29, end: 35 },
          ],
        },
      ],
      next_cursor: null,
    });
    // Whatever a text holds is text: what was found stands beside it, not in it.
    expect(texts(await search({ q: "roses" }))).toEqual([" and <b>roses</b>"]);
  });

  test("understands phrases, alternatives and exclusions", async () => {
    await said(["quick brown foxglove", "brown quick foxglove", "foxglove alone"]);
    expect(texts(await search({ q: '"quick brown"' }))).toEqual(["quick brown foxglove"]);
    expect(texts(await search({ q: "foxglove -quick" }))).toEqual(["foxglove alone"]);
    expect(texts(await search({ q: '"quick brown" or alone foxglove' }))).toHaveLength(2);
    expect(texts(await search({ q: 'foxglove & | ! ( : * " alone' }))).toEqual(["foxglove alone"]);
  });

  test("goes on page by page, newest job first, without loss or repeat", async () => {
    for (let i = 0; i < 3; i++) await said(Array.from({ length: 4 }, (_, n) => `marigold ${i} ${n}`));
    const all = texts(await search({ q: "marigold" }));
    expect(all[0]).toBe("marigold 2 0");
    expect(all).toHaveLength(12);
    const pages: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof search>> = await search({
        q: "marigold",
        limit: "5",
        ...(cursor && { cursor }),
      });
      pages.push(...texts(page));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(pages).toEqual(all);
  });

  test("is narrowed by job, recording, language and time", async () => {
    const one = await said(["petunia one"], { recording_id: "r1" });
    await said(["petunia two"], { recording_id: "r2" });
    const soon = new Date(Date.now() + 60_000).toISOString();
    const before = new Date(Date.now() - 60_000).toISOString();
    expect(texts(await search({ q: "petunia", job_id: one }))).toEqual(["petunia one"]);
    expect(texts(await search({ q: "petunia", recording_id: "r2" }))).toEqual(["petunia two"]);
    expect(
      texts(await search({ q: "petunia", language: "en", created_after: before, created_before: soon })),
    ).toHaveLength(2);
    expect(texts(await search({ q: "petunia", language: "de" }))).toEqual([]);
    expect(texts(await search({ q: "petunia", created_after: soon }))).toEqual([]);
    expect(texts(await search({ q: "petunia", created_before: before }))).toEqual([]);
  });

  test("reaches completed transcripts alone, and none that is erased", async () => {
    const id = await submit();
    const job = await claim(api.db, id);
    await writeSegments(api.db, job, [segment(0, "hydrangea")]);
    expect(texts(await search({ q: "hydrangea" }))).toEqual([]);
    await complete(api.db, job, "hydrangea");
    expect(texts(await search({ q: "hydrangea" }))).toEqual(["hydrangea"]);
    expect((await api.call(`/api/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(204);
    expect(texts(await search({ q: "hydrangea" }))).toEqual([]);
  });

  test("of many finds goes through them in their order", async () => {
    const id = await said(Array.from({ length: 2500 }, (_, i) => `lavender number ${i}`));
    const first = await search({ q: "lavender", limit: "100" });
    expect(first.data.map(({ segment_id: n }) => n)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    const second = await search({ q: "lavender", limit: "2", cursor: first.next_cursor! });
    expect(second.data.map(({ segment_id: n }) => n)).toEqual([100, 101]);
    expect(texts(await search({ q: "lavender", job_id: id, limit: "1" }))).toEqual(["lavender number 0"]);
  });

  test("never finds what another tenant has", async () => {
    const { key } = await api.makeKey(["transcribe"], { tenant: "another" });
    await said(["snapdragon theirs"], {}, key);
    await said(["snapdragon mine"]);
    expect(texts(await search({ q: "snapdragon" }))).toEqual(["snapdragon mine"]);
    expect(texts(await search({ q: "snapdragon" }, key))).toEqual(["snapdragon theirs"]);
    // Nor by the words with which the index keeps tenants apart.
    const { rows } = await api.db.pool.query("SELECT id FROM tenants WHERE name = 'another'");
    expect(texts(await search({ q: `snapdragon tenant/${rows[0].id}` }))).toEqual([]);
    expect(texts(await search({ q: `snapdragon or tenant/${rows[0].id}` }))).toEqual(["snapdragon mine"]);
  });

  test("a query of 256 characters is read, and so is a page of 100", async () => {
    await said(["delphinium here"]);
    expect(texts(await search({ q: "delphinium".padEnd(256, " "), limit: "100" }))).toEqual(["delphinium here"]);
  });

  test.each([
    ["a page of 101", { q: "rose", limit: "101" }, "limit"],
    ["no question", {}, "q"],
    ["an empty one", { q: "" }, "q"],
    ["signs alone", { q: "&|!():*" }, "q"],
    ["exclusions alone", { q: "-rose -tulip" }, "q"],
    ["NUL", { q: "a\u0000" }, "q"],
    ["a question without end", { q: "a".repeat(257) }, "q"],
    ["a limit of nothing", { q: "rose", limit: "0" }, "limit"],
    ["a strange cursor", { q: "rose", cursor: "abc" }, "cursor"],
    ["an unknown parameter", { q: "rose", order: "asc" }, "order"],
    ["no time", { q: "rose", created_after: "today" }, "created_after"],
  ])("%s is refused by its name", async (_what, query, path) => {
    const response = await api.call(`/api/v1/search?${new URLSearchParams(query as Record<string, string>)}`);
    expect(paths(await expectProblem(response, 400, "invalid_request"))).toEqual([path]);
  });
});

describe("paragraphs", () => {
  test("are of completed jobs", async () => {
    const id = await said([" Hello.", " How are you?"]);
    const response = await api.call(`/api/v1/jobs/${id}/paragraphs`);
    expect(await response.json()).toEqual({
      paragraphs: [{ start: 0, end: 3.5, text: "Hello. How are you?", first_segment: 0, last_segment: 1 }],
    });
    const waiting = await submit();
    await expectProblem(await api.call(`/api/v1/jobs/${waiting}/paragraphs`), 409, "conflict");
    await tenantJobs(
      api.db,
      (await api.db.pool.query("SELECT tenant_id FROM jobs WHERE id = $1", [waiting])).rows[0].tenant_id,
    ).cancel(waiting);
    await expectProblem(await api.call(`/api/v1/jobs/${waiting}/paragraphs`), 409, "conflict");
  });
});
