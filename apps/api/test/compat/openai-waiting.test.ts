import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { tenantJobs } from "@scribe/database";
import { makeWav, waitFor } from "@scribe/testing";
import { claim, complete, finish, segment, writeSegments } from "../drive-jobs.ts";
import { form, SEGMENTS, useOpenAiDoor } from "./openai-door.ts";

const door = useOpenAiDoor(2_000);
const { post, nextJob } = door;

test("whoever takes nothing of the answer is cut off", async () => {
  const { hostname, port } = new URL(door.api.url);
  const body = JSON.stringify({ url: "https://example.com/long.wav" });
  const socket = connect(Number(port), hostname).on("error", () => undefined);
  socket.pause();
  const head = ["POST /deepgram/v1/listen HTTP/1.1", "Host: x", `Authorization: Token ${door.api.key}`];
  socket.write([...head, "Content-Type: application/json", `Content-Length: ${body.length}`, "", body].join("\r\n"));
  const text = "x".repeat(200_000);
  await finish(
    door.api.db,
    await nextJob(),
    Array.from({ length: 60 }, (_, at) => segment(at, text)),
  );
  // The request is written down when it is over, for whoever asked has taken nothing of the answer.
  await waitFor(() => door.api.log().includes("/deepgram/v1/listen"), {
    what: "the end of the request",
    timeoutMs: 20_000,
  });
  let bytes = 0;
  socket.on("data", (chunk) => {
    bytes += chunk.length;
  });
  const closed = once(socket, "close");
  socket.resume();
  await closed;
  expect(bytes).toBeGreaterThan(0);
  // What the sockets of both sides held, and not the whole.
  expect(bytes).toBeLessThan(60 * text.length);
}, 30_000);

describe("while it takes long", () => {
  test("fillers keep a JSON answer alive, and do not break it", async () => {
    const pending = post([]);
    const job = await claim(door.api.db, await nextJob());
    await door.api.db.pool.query("UPDATE jobs SET progress = 50 WHERE id = $1", [job.id]);
    const response = await pending;
    let text = "";
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      if (text.length < 2 && text.length + piece.length >= 2) await complete(door.api.db, job, "Late.");
      text += piece;
    }
    expect(text).toMatch(/^ {2,}\{/);
    expect(JSON.parse(text)).toMatchObject({ text: "Late." });
  });

  test("a failure before something was transcribed keeps its status, even of decoded audio", async () => {
    const pending = post([]);
    const job = await claim(door.api.db, await nextJob());
    expect((await tenantJobs(door.api.db, job.tenantId).get(job.id))?.phase).toBe("transcribing");
    // Longer than whoever waits looks away.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    await fail(job, "unsupported_audio");
    const response = await pending;
    expect(response.status).toBe(400);
    expect(response.headers.get("x-should-retry")).toBe("false");
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", message: "It failed." } });
  });

  test("a late failure cuts the connection", async () => {
    const pending = post([]);
    const job = await claim(door.api.db, await nextJob());
    await door.api.db.pool.query("UPDATE jobs SET progress = 50 WHERE id = $1", [job.id]);
    const response = await pending;
    expect(response.status).toBe(200);
    await fail(job, "internal");
    await expect(response.text()).rejects.toThrow();
  });

  test("an equal request joins the job that is under way", async () => {
    const file = makeWav({ seconds: 0.7 });
    const [one, two] = [post([], { file }), nextJob().then((id) => [id, post([], { file })] as const)];
    const [id, second] = await two;
    // Both must have begun to answer: one that comes when the job is done would make another.
    await Promise.all([one, second]);
    const { rows } = await door.api.db.pool.query("SELECT count(*)::int AS n FROM jobs WHERE status = 'pending'");
    expect(rows[0].n).toBe(1);
    await finish(door.api.db, id, SEGMENTS);
    const answer = await (await one).json();
    expect(answer).toMatchObject({ text: "Good morning. Bye." });
    expect(await (await second).json()).toEqual(answer);
  });

  test("a client that goes away leaves its job alone", async () => {
    const stop = new AbortController();
    const pending = fetch(`${door.api.url}/v1/audio/transcriptions`, {
      method: "POST",
      body: form([]),
      headers: { Authorization: `Bearer ${door.api.key}` },
      signal: stop.signal,
    });
    const id = await nextJob();
    stop.abort();
    await expect(pending).rejects.toThrow();
    await finish(door.api.db, id, SEGMENTS);
    const { rows } = await door.api.db.pool.query("SELECT status FROM jobs WHERE id = $1", [id]);
    expect(rows[0].status).toBe("completed");
  });
});

describe("streams", () => {
  test("deltas as segments come, then all of it", async () => {
    const pending = post([["stream", "true"]]);
    const job = await claim(door.api.db, await nextJob());
    await writeSegments(door.api.db, job, [SEGMENTS[0]!]);
    await door.api.db.pool.query("UPDATE jobs SET progress = 50 WHERE id = $1", [job.id]);
    const response = await pending;
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    await writeSegments(door.api.db, job, [SEGMENTS[1]!]);
    await complete(door.api.db, job, "Good morning. Bye.");
    const events = readData(await response.text());
    expect(events).toEqual([
      { type: "transcript.text.delta", delta: "Good morning." },
      { type: "transcript.text.delta", delta: " Bye." },
      { type: "transcript.text.done", text: "Good morning. Bye.", usage: { type: "duration", seconds: 8 } },
    ]);
  });

  test("a late failure is an event", async () => {
    const pending = post([["stream", "true"]]);
    const job = await claim(door.api.db, await nextJob());
    await door.api.db.pool.query("UPDATE jobs SET progress = 50 WHERE id = $1", [job.id]);
    const response = await pending;
    await fail(job, "internal");
    const text = await response.text();
    expect(text).toContain("event: error\n");
    expect(readData(text)).toEqual([
      { error: { message: "It failed.", type: "server_error", param: null, code: null } },
    ]);
  });
});

const readData = (text: string): unknown[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json as string));

async function fail(job: { id: string; tenantId: string }, code: string): Promise<void> {
  const error = { code, message: "It failed.", retryable: false };
  await door.api.db.pool.query(
    `UPDATE jobs SET status = 'failed', lease_until = NULL, completed_at = now(), error = $2 WHERE id = $1`,
    [job.id, JSON.stringify(error)],
  );
  await door.api.db.pool.query(
    `INSERT INTO job_events (job_id, ordinal, type, data) SELECT id, next_ordinal, 'done', '{}' FROM jobs WHERE id = $1`,
    [job.id],
  );
  expect((await tenantJobs(door.api.db, job.tenantId).get(job.id))?.status).toBe("failed");
}
