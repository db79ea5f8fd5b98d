import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createSyntheticEngine, secondsWithoutAudio } from "@scribe/engine-synthetic";
import { makeWav, tone, waitFor } from "@scribe/testing";
import { WorkStopped } from "../src/work-stopped.ts";
import { expireLease, openWorkerBox, type WorkerBox } from "./worker-box.ts";

let box: WorkerBox;
beforeAll(async () => {
  box = await openWorkerBox();
});
afterAll(async () => {
  expect(await box.temporaryFiles()).toEqual([
    "worker-a",
    ...(await box.temporaryFiles()).filter((name) => /^worker-[b-z]$/.test(name)),
  ]);
  await box.close();
});

/** Without audio, a job is nothing but its windows. */
const quick = { audio: false, windows: 4, window_seconds: 10, text: "Window {n}." };
const SAID = "Window 1. Window 2. Window 3. Window 4.";

/** Hangs a job at its third window until something stops it. */
const slow = { ...quick, delay_ms: 0 };

describe("a job", () => {
  test("goes from an upload to its transcript, and leaves nothing on disk", async () => {
    const audio = makeWav({ seconds: 12.5, sampleRate: 8000, signal: tone(440) });
    const { id } = await box.upload(
      audio,
      { window_seconds: 5, text: "Part {n}." },
      { webhookUrl: "http://example.com/hook", webhookEvents: ["job.completed"] },
    );
    expect(await box.work(id)).toBe("completed");
    const job = await box.row(id);
    expect(job).toMatchObject({ status: "completed", progress: 100, duration: 12.5, warnings: [], attempts: 0 });
    const transcript = await box.jobs.transcript(id);
    expect(transcript).toMatchObject({ text: "Part 1. Part 2. Part 3.", language: "en", duration: 12.5 });
    expect(transcript!.segments.map(({ id, start, end }) => [id, start, end])).toEqual([
      [0, 0, 5],
      [1, 5, 10],
      [2, 10, 12.5],
    ]);
    expect(transcript!.segments[0]!.words!.map(({ word }) => word)).toEqual(["Part", "1."]);
    expect(box.pokes).toContain("webhooks");
  });

  test("whose bytes came past the API is hashed when they are first read", async () => {
    const audio = makeWav({ seconds: 2, sampleRate: 8000, signal: tone(440) });
    const { id } = await box.upload(audio, { window_seconds: 5, text: "Part {n}." });
    const hashOf = async () =>
      (await box.db.pool.query("SELECT audio_sha256 AS hash FROM jobs WHERE id = $1", [id])).rows[0].hash;
    const whole = await hashOf();
    await box.db.pool.query("UPDATE jobs SET audio_sha256 = NULL WHERE id = $1", [id]);
    expect(await box.work(id)).toBe("completed");
    expect(await hashOf()).toBe(whole);
  });

  test("tells its life as durable events, each once and in order", async () => {
    const { id } = await box.create(quick);
    await box.work(id);
    const events = await box.jobs.events(id, 0, 100);
    expect(events.map(({ type }) => type)).toEqual([
      ...["status", "status", "segment", "segment", "segment", "segment", "status", "done"],
    ]);
  });

  test("is taken once: a second message finds nothing to do", async () => {
    const { id } = await box.create(quick);
    expect(await Promise.all([box.work(id), box.work(id)])).toEqual(
      expect.arrayContaining(["completed", "not_claimed"]),
    );
    expect(await box.work(id)).toBe("not_claimed");
  });

  test("that fails for a while goes on after its last window, and says what an undisturbed one says", async () => {
    const { id } = await box.create({ ...quick, fail_at: 2, fail_times: 2 });
    expect(await box.work(id)).toBe("retry");
    expect(await box.row(id)).toMatchObject({ status: "processing", phase: "queued", attempts: 1, error: null });
    expect(await box.jobs.segments(id)).toHaveLength(2);
    expect(await box.work(id)).toBe("retry");
    expect(await box.work(id)).toBe("completed");
    const undisturbed = await box.create(quick);
    await box.work(undisturbed.id);
    const transcript = await box.jobs.transcript(id);
    expect(transcript).toEqual(await box.jobs.transcript(undisturbed.id));
    expect(transcript!.text).toBe(SAID);
  });

  test("fails after its last attempt, with the code of the error", async () => {
    const { id } = await box.create({ ...quick, fail_at: 1, error_code: "out_of_memory" });
    expect([await box.work(id), await box.work(id), await box.work(id)]).toEqual(["retry", "retry", "failed"]);
    expect(await box.row(id)).toMatchObject({
      status: "failed",
      attempts: 3,
      error: { code: "out_of_memory", retryable: true },
    });
  });

  test("fails at once where another attempt would end the same", async () => {
    const { id } = await box.create({ ...quick, fail_at: 1, error_code: "invalid_model" });
    expect(await box.work(id)).toBe("failed");
    expect((await box.row(id)).error).toMatchObject({ code: "invalid_model", retryable: false });
  });

  test("of an engine that nobody runs fails as model_unavailable, and a malformed script is named", async () => {
    const strange = await box.create(quick, { engine: "openai" });
    expect(await box.work(strange.id)).toBe("retry");
    const malformed = await box.create({ windows: "many" });
    expect(await box.work(malformed.id)).toBe("failed");
    expect((await box.row(malformed.id)).error!.message).toMatch(/^metadata\.synthetic\.windows/);
  });

  test("that takes too long ends its attempt with `timeout`", async () => {
    const parts = await box.makeParts("worker-b", { timeLimitMs: () => 100 });
    const { id } = await box.create({ ...quick, delay_ms: 60_000 });
    expect(await box.work(id, { ...parts, settings: { ...parts.settings, maxAttempts: 1 } })).toBe("failed");
    expect((await box.row(id)).error).toMatchObject({ code: "timeout" });
  });

  test("starts again where its checkpoint is of other options, without telling a segment twice", async () => {
    const { id } = await box.create({ ...quick, fail_at: 2, fail_times: 1 });
    await box.work(id);
    await box.db.pool.query(
      "UPDATE jobs SET checkpoint = jsonb_set(checkpoint, '{fingerprint}', '\"another\"') WHERE id = $1",
      [id],
    );
    expect(await box.work(id)).toBe("completed");
    expect((await box.jobs.transcript(id))!.text).toBe(SAID);
    const events = await box.jobs.events(id, 0, 100);
    expect(events.filter(({ type }) => type === "segment")).toHaveLength(4);
  });
});

describe("a job that is stopped from outside", () => {
  const held = async (id: string) => {
    await waitFor(async () => (await box.jobs.segments(id)).length > 0);
  };

  test("leaves at once when it is cancelled, and writes nothing more", async () => {
    const { id } = await box.create({ ...slow, delay_ms: 150, windows: 100 });
    const work = box.work(id);
    await held(id);
    await box.jobs.cancel(id);
    box.parts.held.stopJob(id, "cancelled");
    const before = performance.now();
    expect(await work).toBe("dropped");
    expect(performance.now() - before).toBeLessThan(500);
    const { length } = await box.jobs.events(id, 0, 100);
    await delay(300);
    expect(await box.jobs.events(id, 0, 100)).toHaveLength(length);
    expect((await box.row(id)).status).toBe("cancelled");
  });

  test("notices at its next write that another has it, and there is one result", async () => {
    const other = await box.makeParts("worker-c");
    const { id } = await box.create({ ...slow, delay_ms: 300, windows: 6 });
    const paused = box.work(id);
    await held(id);
    await expireLease(box.db, id);
    const [first, second] = await Promise.all([paused, box.work(id, other)]);
    expect([first, second]).toEqual(["dropped", "completed"]);
    expect((await box.jobs.transcript(id))!.segments.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await box.row(id)).toMatchObject({ status: "completed", attempts: 0 });
    const refused = await box.parts.metrics.refusedWrites.get();
    expect(refused.values[0]!.value).toBeGreaterThan(0);
  });

  test("is handed back uncharged at shutdown, and goes on elsewhere after its last window", async () => {
    const leaving = await box.makeParts("worker-d");
    const { id } = await box.create({ ...slow, delay_ms: 60 });
    const work = box.work(id, leaving);
    await held(id);
    leaving.held.stopAll("shutdown");
    expect(await work).toBe("handed_back");
    const row = await box.row(id);
    expect(row).toMatchObject({ status: "processing", phase: "queued", attempts: 0, crashes: 0 });
    expect(row.checkpoint).not.toBeNull();
    expect(await box.work(id)).toBe("completed");
    expect((await box.jobs.transcript(id))!.text).toBe(SAID);
  });

  test("is not started where the worker already goes down", async () => {
    const leaving = await box.makeParts("worker-e");
    leaving.held.stopAll("shutdown");
    const { id } = await box.create(quick);
    expect(await box.work(id, leaving)).toBe("handed_back");
    expect(await box.row(id)).toMatchObject({ status: "processing", attempts: 0 });
  });

  test("keeps its lease while it works, and loses it to nobody", async () => {
    const brief = await box.makeParts("worker-f", { leaseSeconds: 1 });
    const { id } = await box.create({ ...slow, delay_ms: 700 });
    const work = box.work(id, brief);
    await delay(1500);
    expect(await box.work(id)).toBe("not_claimed");
    expect(await work).toBe("completed");
    expect(await box.row(id)).toMatchObject({ crashes: 0 });
  });
});

describe("an engine whose process dies", () => {
  test("costs its neighbours nothing; the job that kills it ends as worker_crashed", async () => {
    const poison = await box.create({ ...quick, crash_at: 2 });
    const neighbour = await box.create({ ...quick, delay_ms: 150 });
    const neighbourWork = box.work(neighbour.id);
    await waitFor(async () => (await box.jobs.segments(neighbour.id)).length > 0);
    expect(await box.work(poison.id)).toBe("handed_back");
    expect(await neighbourWork).toBe("handed_back");
    expect(await box.row(neighbour.id)).toMatchObject({ attempts: 0, childDeaths: 0, runAlone: true });
    expect(await box.work(neighbour.id)).toBe("completed");
    expect((await box.jobs.transcript(neighbour.id))!.text).toBe(SAID);
    const ends = [await box.work(poison.id), await box.work(poison.id), await box.work(poison.id)];
    expect(ends).toEqual(["handed_back", "handed_back", "failed"]);
    expect((await box.row(poison.id)).error).toMatchObject({ code: "worker_crashed" });
  });

  test("runs a job that must be alone only while no other is in it", async () => {
    const engine = createSyntheticEngine();
    const parts = { ...box.parts, engines: new Map([["synthetic", { engine, secondsWithoutAudio }]]) };
    const alone = await box.create({ ...quick, delay_ms: 20 });
    await box.db.pool.query("UPDATE jobs SET run_alone = true WHERE id = $1", [alone.id]);
    const first = await box.create({ ...quick, delay_ms: 60 });
    const works = [box.work(first.id, parts)];
    await waitFor(async () => (await box.jobs.segments(first.id)).length > 0);
    works.push(box.work(alone.id, parts));
    await delay(50);
    expect(await box.jobs.segments(alone.id)).toHaveLength(0);
    expect(await Promise.all(works)).toEqual(["completed", "completed"]);
    const [firstRow, aloneRow] = [await box.row(first.id), await box.row(alone.id)];
    expect(aloneRow.completedAt!.getTime()).toBeGreaterThanOrEqual(firstRow.completedAt!.getTime());
  });
});

test("a stop says its reason", () => {
  expect(new WorkStopped("lost").message).toBe("work stopped: lost");
});
