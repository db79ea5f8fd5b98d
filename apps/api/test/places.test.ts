import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitFor } from "@scribe/testing";
import { finish, segment } from "./drive-jobs.ts";
import { expectProblem } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";
import { wav } from "./uploads.ts";

let api: TestApi;
let other: string;
beforeAll(async () => {
  api = await startTestApi({
    ...{ MAX_WAITING: "3", MAX_WAITING_PER_KEY: "2", MAX_LARGE_BODIES: "2", MAX_LARGE_BODIES_PER_KEY: "1" },
    ...{ MAX_BODY_BYTES: "1024", MAX_INLINE_AUDIO_BYTES: "8192", BODY_TIMEOUT_SECONDS: "20" },
    ...{ MAX_SEARCHES: "3", MAX_SEARCHES_PER_KEY: "2" },
    ...{ MAX_OPEN_UPLOADS: "2", MAX_OPEN_ENHANCEMENTS: "2" },
    ...{ ENHANCED_AI_BASE_URL: "http://127.0.0.1:9/v1", ENHANCED_AI_MODEL: "m" },
  });
  other = (await api.makeKey(["transcribe"])).key;
}, 60_000);
afterAll(() => api.stop());

const url = "https://example.com/a.wav";

async function queued(): Promise<string> {
  const response = await api.call("/runpod/v2/x/run", { json: { input: { url } } });
  return ((await response.json()) as { id: string }).id;
}

describe("MAX_WAITING_PER_KEY and MAX_WAITING: those who wait for transcripts", () => {
  const form = () => {
    const body = new FormData();
    body.append("file", new Blob([new Uint8Array(wav)]), "a.wav");
    return body;
  };
  const doors = (id: string): [string, string, () => RequestInit & { json?: unknown }][] => [
    ["RunPod's /status-sync", `/runpod/v2/x/status-sync/${id}`, () => ({})],
    ["RunPod's /stream", `/runpod/v2/x/stream/${id}`, () => ({})],
    ["RunPod's /runsync", "/runpod/v2/x/runsync", () => ({ json: { input: { url } } })],
    ["Deepgram's /listen", "/deepgram/v1/listen", () => ({ json: { url } })],
    ["OpenAI's transcriptions", "/v1/audio/transcriptions", () => ({ method: "POST", body: form() })],
    ["OpenAI's translations", "/v1/audio/translations", () => ({ method: "POST", body: form() })],
  ];

  test("each door has its place among them, and gives it back", async () => {
    const id = await queued();
    const places = async (path: string, init: RequestInit, key: string) =>
      (await api.call(path, { ...init, key })).status;
    /** So many that wait. What looks takes a place for a moment: where it came first, all begin anew. */
    const hold = (key: string, count: number, full: number) =>
      waitFor(
        async () => {
          const gone = new AbortController();
          const { signal } = gone;
          const wait = () => api.call(`/runpod/v2/x/status-sync/${id}?wait=60000`, { key, signal }).catch(() => null);
          const waiting = Array.from({ length: count }, wait);
          const leave = async () => {
            gone.abort();
            await Promise.all(waiting);
          };
          await sleep(150);
          if ((await places(`/runpod/v2/x/status-sync/${id}?wait=1000`, {}, key)) === full) return leave;
          await leave();
          return null;
        },
        { what: `${count} that wait` },
      );
    const first = await hold(api.key, 2, 429);
    for (const [name, path, init] of doors(id))
      expect([name, await places(path, init(), api.key)]).toEqual([name, 429]);
    // Who does not wait needs no place.
    expect(await places(`/runpod/v2/x/status/${id}`, {}, api.key)).toBe(200);
    const callback = `/deepgram/v1/listen?callback=${encodeURIComponent("https://example.com/hook")}`;
    expect((await api.call(callback, { json: { url } })).status).toBe(200);
    const second = await hold(other, 1, 503);
    await Promise.all([first(), second()]);
    await finish(api.db, id, [segment(0, "Done.")]);
    await waitFor(async () => (await places(`/runpod/v2/x/status-sync/${id}`, {}, api.key)) === 200, {
      what: "a free place",
    });
  }, 30_000);
});

describe("large bodies", () => {
  /** A body that begins, and goes on when it is told. */
  function slow(path: string, key: string, type: string) {
    const { readable, writable } = new TransformStream<Uint8Array>();
    const writer = writable.getWriter();
    writer.write(Buffer.from("{")).catch(() => undefined);
    const answer = api
      .call(path, { method: "POST", body: readable, duplex: "half", key, headers: { "Content-Type": type } })
      .catch(() => null);
    return { answer, end: () => writer.abort().catch(() => undefined) };
  }

  test("MAX_LARGE_BODIES_PER_KEY and MAX_LARGE_BODIES, of manifests and of audio inside JSON", async () => {
    const small = (key: string) => api.call("/api/v1/batches", { json: { items: [{ url }] }, key });
    // Without a length, as it may be large.
    const batch = (key: string) =>
      api.call("/api/v1/batches", {
        ...{ method: "POST", key, duplex: "half", headers: { "Content-Type": "application/json" } },
        body: new Blob([JSON.stringify({ items: [{ url }] })]).stream(),
      });
    /** Begins anew where what looks took the place for a moment itself. */
    const hold = (path: string, key: string) =>
      waitFor(
        async () => {
          const held = slow(path, key, "application/json");
          await sleep(100);
          if ((await batch(key)).status === 429) return held;
          await Promise.all([held.end(), held.answer]);
          return null;
        },
        { what: `a place at ${path}` },
      );
    const first = await hold("/api/v1/batches", api.key);
    const second = await hold("/runpod/v2/x/run", other);
    const third = (await api.makeKey(["transcribe"])).key;
    await expectProblem(await batch(third), 503, "service_unavailable");
    // What says that it is small needs no place.
    expect((await api.call("/runpod/v2/x/run", { json: { input: { url } }, key: third })).status).toBe(200);
    expect((await small(api.key)).status).toBe(202);
    await Promise.all([first.end(), second.end(), first.answer, second.answer]);
    await waitFor(async () => (await batch(api.key)).status === 202, { what: "a free place" });
  }, 30_000);

  test("MAX_INLINE_AUDIO_BYTES", async () => {
    const body = (bytes: number) => {
      const text = JSON.stringify({ input: { blob: Buffer.from(wav).toString("base64").slice(0, 4000) } });
      return text.padEnd(bytes, " ");
    };
    const run = (bytes: number) =>
      api.call("/runpod/v2/x/run", {
        method: "POST",
        body: body(bytes),
        headers: { "Content-Type": "application/json" },
      });
    expect((await run(8192)).status).toBe(200);
    expect((await run(8193)).status).toBe(413);
  });
});

test("MAX_SEARCHES_PER_KEY and MAX_SEARCHES", async () => {
  const search = async (key: string) => (await api.call("/api/v1/search?q=morning", { key })).status;
  const blocker = await api.db.pool.connect();
  const waiting: Promise<number>[] = [];
  try {
    await blocker.query("BEGIN");
    await blocker.query("LOCK TABLE search_segments IN ACCESS EXCLUSIVE MODE");
    // The third of each is refused, in whatever order they come.
    const three = [search(api.key), search(api.key), search(api.key)];
    expect(await Promise.any(three)).toBe(429);
    const more = [search(other), search(other)];
    expect(await Promise.any(more)).toBe(503);
    waiting.push(...three, ...more);
  } finally {
    await blocker.query("ROLLBACK");
    blocker.release();
  }
  expect((await Promise.all(waiting)).sort()).toEqual([200, 200, 200, 429, 503]);
  expect(await search(api.key)).toBe(200);
});

describe("what a tenant has under way", () => {
  test("MAX_OPEN_ENHANCEMENTS", async () => {
    const ask = () => api.call("/api/v1/enhanced-ai", { json: { text: "We met.", tasks: ["summary"] } });
    const [first] = [await ask(), await ask()];
    const problem = await expectProblem(await ask(), 429, "quota_exceeded");
    expect(problem.detail).toContain("2 enhancements");
    const { job_id } = (await first.json()) as { job_id: string };
    await api.call(`/api/v1/enhanced-ai/${job_id}/cancel`, { method: "POST" });
    const several = await Promise.all([ask(), ask(), ask()]);
    expect(several.map(({ status }) => status).sort()).toEqual([202, 429, 429]);
  });

  test("MAX_OPEN_UPLOADS, by whatever door they come", async () => {
    const { key } = await api.makeKey(["transcribe"], { tenant: "uploader" });
    const tus = () =>
      api.call("/api/v1/files/tus", {
        ...{ method: "POST", key, headers: { "Tus-Resumable": "1.0.0", "Upload-Length": "10" } },
      });
    const presign = () => api.call("/api/v1/files/presign", { json: { filename: "a", size: 10 }, key });
    const send = () => api.call("/assemblyai/v2/upload", { method: "POST", body: new Uint8Array(wav), key });
    const saas = () => api.call("/compat/saas/files/presign", { json: { filename: "a" }, key });
    const begun = await tus();
    expect(begun.status).toBe(201);
    const sent = (await (await send()).json()) as { upload_url: string };
    for (const each of [tus, presign, send, saas]) expect((await each()).status).toBe(429);
    // What was refused leaves nothing behind.
    expect(await api.storedFiles()).toHaveLength(
      (await api.db.pool.query("SELECT audio_key FROM jobs WHERE audio_key IS NOT NULL")).rows.length + 1,
    );
    // A job's is its job's.
    const json = { audio_url: sent.upload_url };
    expect((await api.call("/assemblyai/v2/transcript", { json, key })).status).toBe(200);
    expect((await presign()).status).toBe(200);
    expect((await tus()).status).toBe(429);
    const headers = { "Tus-Resumable": "1.0.0" };
    await api.call(String(begun.headers.get("location")), { method: "DELETE", headers, key });
    expect((await tus()).status).toBe(201);
  });

  test("words that are sought in a transcript: 100 of them", async () => {
    const id = await queued();
    await finish(api.db, id, [segment(0, "One two three.")]);
    const search = (words: string[]) =>
      api.call(`/assemblyai/v2/transcript/${id}/word-search?words=${words.join(",")}`);
    const most = Array.from({ length: 100 }, (_, at) => `w${at}`);
    expect((await search(most)).status).toBe(200);
    expect((await search([...most, "w"])).status).toBe(400);
  });
});
