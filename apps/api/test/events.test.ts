import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { revokeKey } from "@scribe/database";
import { waitFor } from "@scribe/testing";
import { claim, complete, finish, segment, writeSegments } from "./drive-jobs.ts";
import { expectProblem, paths } from "./expect-problem.ts";
import { collect, readSse, type SseEvent } from "./read-sse.ts";
import { ADMIN_KEY, startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ MAX_STREAMS_PER_KEY: "5" }, { streamCommentMs: 200, slowReaderMs: 500 });
}, 60_000);
afterAll(() => api.stop());

async function submit(): Promise<string> {
  const response = await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav" } });
  return ((await response.json()) as { job_id: string }).job_id;
}
const open = (id: string, lastEventId?: string, init: { key?: string; signal?: AbortSignal } = {}) =>
  api.call(`/api/v1/jobs/${id}/events`, {
    headers: lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId },
    ...init,
  });
const durable = (events: SseEvent[]) =>
  events.filter(({ id }) => id !== undefined).map(({ event, data }) => [event, (data as { status?: string }).status]);
const isDone = ({ event }: SseEvent) => event === "done";

describe("a watcher of a job", () => {
  test("gets each event once and in order while the job runs, then the stream ends", async () => {
    const id = await submit();
    const response = await open(id);
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(response.headers.get("cache-control")).toContain("no-cache");
    expect(response.headers.get("content-encoding")).toBeNull();
    const events = readSse(response);
    const all = await collect(events, ({ event }) => event === "status");

    const job = await claim(api.db, id);
    await writeSegments(api.db, job, [segment(0, " One.")], 30);
    all.push(...(await collect(events, ({ event }) => event === "segment")));
    await writeSegments(api.db, job, [segment(1, " Two."), segment(2, " Three.")], 60);
    await complete(api.db, job, "One. Two. Three.");
    all.push(...(await collect(events)));

    expect(durable(all)).toEqual([
      ["status", "pending"],
      ["status", "processing"],
      ...[0, 1, 2].map(() => ["segment", undefined]),
      ["status", "completed"],
      ["done", "completed"],
    ]);
    const texts = all.filter(({ event }) => event === "segment").map(({ data }) => (data as { text: string }).text);
    expect(texts).toEqual([" One.", " Two.", " Three."]);
    const ids = all.flatMap(({ id: ordinal }) => (ordinal === undefined ? [] : [Number(ordinal)]));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    const progress = all.filter(({ event }) => event === "progress");
    expect(progress.length).toBeGreaterThan(0);
    for (const { id: none, data } of progress)
      expect([none, data]).toEqual([undefined, expect.objectContaining({ phase: expect.any(String) })]);
  });

  test("who comes late gets the past first", async () => {
    const id = await submit();
    await finish(api.db, id, [segment(0, " One."), segment(1, " Two.")]);
    const all = await collect(readSse(await open(id)));
    expect(durable(all).map(([event]) => event)).toEqual(["status", "status", "segment", "segment", "status", "done"]);
  });

  test("a thousand segments come whole, to several watchers at once", async () => {
    const id = await submit();
    const job = await claim(api.db, id);
    await writeSegments(
      api.db,
      job,
      Array.from({ length: 700 }, (_, i) => segment(i, ` w${i}`)),
    );
    const watching = [1, 2, 3].map(async () => await collect(readSse(await open(id))));
    await waitFor(async () => (await openStreams()) === 3, { what: "three open streams" });
    for (let i = 700; i < 1000; i += 50) {
      await writeSegments(
        api.db,
        job,
        Array.from({ length: 50 }, (_, k) => segment(i + k, ` w${i + k}`)),
      );
    }
    await complete(api.db, job, "many");
    for (const events of await Promise.all(watching)) {
      const segments = events.filter(({ event }) => event === "segment");
      expect(segments.map(({ data }) => (data as { id: number }).id)).toEqual(
        Array.from({ length: 1000 }, (_, i) => i),
      );
    }
  });

  test("Last-Event-ID goes on without loss or repeat, wherever the stream broke", async () => {
    const id = await submit();
    await finish(api.db, id, [segment(0, " One."), segment(1, " Two.")]);
    const all = await collect(readSse(await open(id)));
    for (let i = 0; i < all.length - 1; i++) {
      const rest = await collect(readSse(await open(id, all[i].id)));
      expect(rest).toEqual(all.slice(i + 1));
    }
    const last = await open(id, all.at(-1)?.id);
    expect([last.status, await last.text()]).toEqual([204, ""]);
  });

  test("an id that the job never gave starts from the beginning; what is no id is 400", async () => {
    const id = await submit();
    await finish(api.db, id, []);
    expect(durable(await collect(readSse(await open(id, "999")))).at(-1)).toEqual(["done", "completed"]);
    for (const wrong of ["abc", "-1", "99999999999"]) {
      expect(paths(await expectProblem(await open(id, wrong), 400, "invalid_request"))).toEqual(["Last-Event-ID"]);
    }
  });

  test("comments keep a silent connection alive", async () => {
    const events = readSse(await open(await submit()));
    await collect(events, ({ comment }) => comment !== undefined);
    await collect(events, ({ comment }) => comment !== undefined);
    await events.return(undefined);
  });

  test("a cancelled job is done", async () => {
    const id = await submit();
    const events = readSse(await open(id));
    await collect(events, ({ event }) => event === "status");
    await api.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
    expect(durable(await collect(events)).at(-1)).toEqual(["done", "cancelled"]);
  });
});

async function openStreams(): Promise<number> {
  const text = await (await api.call("/metrics", { key: ADMIN_KEY })).text();
  return Number(/^scribe_event_streams (\d+)/m.exec(text)?.[1]);
}

describe("a stream ends before its job", () => {
  test("when the client goes: nothing is left behind", async () => {
    const gone = new AbortController();
    const response = await open(await submit(), undefined, { signal: gone.signal });
    await collect(readSse(response), ({ event }) => event === "status").catch(() => undefined);
    await waitFor(async () => (await openStreams()) >= 1, { what: "an open stream" });
    gone.abort();
    await waitFor(async () => (await openStreams()) === 0, { what: "no open stream" });
  });

  test("when the key is revoked", async () => {
    const id = await submit();
    const row = await api.makeKey(["read"]);
    const events = readSse(await open(id, undefined, { key: row.key }));
    await collect(events, ({ event }) => event === "status");
    const { rows } = await api.db.pool.query("SELECT tenant_id FROM api_keys WHERE id = $1", [row.id]);
    await revokeKey(api.db, rows[0].tenant_id, row.id);
    const last = (await collect(events)).at(-1);
    expect(last).toMatchObject({ comment: "the key is no longer valid", retry: expect.any(String) });
  });

  test("when the job is erased", async () => {
    const id = await submit();
    const events = readSse(await open(id));
    await collect(events, ({ event }) => event === "status");
    await api.db.pool.query("DELETE FROM jobs WHERE id = $1", [id]);
    expect((await collect(events)).at(-1)).toMatchObject({ comment: "the job was erased" });
  });

  test("when the reader does not read: it is dropped, and what it held is free", async () => {
    const id = await submit();
    const job = await claim(api.db, id);
    const text = "x".repeat(20_000);
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    socket.pause();
    socket.on("error", () => undefined);
    socket.write(`GET /api/v1/jobs/${id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.key}\r\n\r\n`);
    await waitFor(async () => (await openStreams()) === 1, { what: "an open stream" });
    // More than the sockets of both sides hold.
    for (let i = 0; i < 10; i++) {
      await writeSegments(
        api.db,
        job,
        Array.from({ length: 60 }, (_, k) => segment(i * 60 + k, text)),
      );
    }
    await waitFor(async () => (await openStreams()) === 0, { what: "the stream to be dropped" });
    const metrics = await (await api.call("/metrics", { key: ADMIN_KEY })).text();
    expect(metrics).toContain('scribe_event_streams_dropped_total{reason="slow"} 1');
    socket.destroy();
    await complete(api.db, job, "x");
  });

  test("when a key has too many, the next one is refused and the others go on", async () => {
    const id = await submit();
    const { key } = await api.makeKey(["read"]);
    const streams = await Promise.all(Array.from({ length: 5 }, () => open(id, undefined, { key })));
    const sixth = await open(id, undefined, { key });
    expect(sixth.headers.get("retry-after")).toBe("5");
    await expectProblem(sixth, 429, "rate_limited");
    const watching = streams.map((stream) => collect(readSse(stream), isDone));
    await api.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
    for (const events of await Promise.all(watching)) expect(events.at(-1)?.event).toBe("done");
    expect((await open(id, undefined, { key })).status).toBe(200);
  });
});

test("HEAD tells the type and opens nothing", async () => {
  const response = await api.call(`/api/v1/jobs/${await submit()}/events`, { method: "HEAD" });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
  expect(await openStreams()).toBe(0);
});
