import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { makeWav, waitFor } from "@scribe/testing";
import type { WorkerParts } from "../src/attempt.ts";
import { createHeldJobs } from "../src/held-jobs.ts";
import { createResultCache } from "../src/result-cache.ts";
import type { FindSpeakers } from "../src/steps/diarize.ts";
import { expireLease, openWorkerBox, type WorkerBox } from "./worker-box.ts";

let box: WorkerBox;
beforeAll(async () => {
  box = await openWorkerBox();
});
afterAll(() => box.close());

const turns = [
  { start: 0, end: 0.5, speaker: "SPEAKER_00" },
  { start: 0.5, end: 60, speaker: "SPEAKER_01" },
];
const twoSpeakers: FindSpeakers = async () => ({
  method: "scripted",
  speakers: ["SPEAKER_00", "SPEAKER_01"],
  turns,
  exclusiveTurns: turns,
});

async function run(findSpeakers: FindSpeakers, options: object, wav = makeWav({ seconds: 1 })) {
  const parts: WorkerParts = { ...box.parts, findSpeakers };
  const { id } = await box.upload(wav, {}, { options });
  const outcome = await box.work(id, parts);
  return { id, outcome, row: await box.row(id), result: await box.jobs.transcript(id) };
}

describe("a job that asks who speaks", () => {
  test("has speakers on words and segments, and their turns", async () => {
    const { outcome, row, result } = await run(twoSpeakers, { diarize: true });
    expect([outcome, row.warnings]).toEqual(["completed", []]);
    expect(result!.speakers).toEqual(["SPEAKER_00", "SPEAKER_01"]);
    expect(result!.diarization).toEqual({ method: "scripted", num_speakers: 2, turns });
    expect(result!.segments.length).toBeGreaterThan(0);
    for (const { id, speaker, words } of result!.segments) {
      expect(result!.segments[id]!.id).toBe(id);
      expect(speaker).toMatch(/^SPEAKER_0[01]$/);
      for (const word of words ?? []) expect(word.speaker).toBe(speaker);
    }
  });

  test("says how many there are and where to listen", async () => {
    const asked: unknown[] = [];
    const listen: FindSpeakers = async (question, options) => {
      asked.push(question);
      return await twoSpeakers(question, options);
    };
    await run(listen, { diarize: true, num_speakers: 3, clip: { start: 0, end: 1 } });
    await run(listen, { diarize: true, min_speakers: 2, max_speakers: 4 });
    expect(asked).toEqual([
      expect.objectContaining({ minSpeakers: 3, maxSpeakers: 3, clip: { start: 0, end: 1 } }),
      expect.objectContaining({ minSpeakers: 2, maxSpeakers: 4 }),
    ]);
  });

  test("is told where there are fewer than it expected", async () => {
    const { row } = await run(twoSpeakers, { diarize: true, num_speakers: 5 });
    expect(row.warnings).toEqual([expect.stringMatching(/At least 5 speakers.*only 2/)]);
  });

  test("is told where nobody speaks, by the real finder", async () => {
    const { outcome, row, result } = await run(box.parts.findSpeakers, { diarize: true });
    expect(outcome).toBe("completed");
    expect(row.warnings).toEqual([expect.stringContaining("No speech was found")]);
    expect(result!.diarization).toEqual({ method: "gaussian-bic", num_speakers: 0, turns: [] });
  });

  test("is told that there is nobody in music, by the real finder", async () => {
    const notes = [262, 330, 392, 523, 392, 330];
    const play = (t: number) => {
      const hertz = notes[Math.floor(t * 3) % notes.length]!;
      return 0.2 * Math.exp(-3 * (t % (1 / 3))) * (Math.sin(6.283 * hertz * t) + 0.5 * Math.sin(12.566 * hertz * t));
    };
    const { outcome, row } = await run(
      box.parts.findSpeakers,
      { diarize: true, num_speakers: 2 },
      makeWav({ seconds: 6, signal: play }),
    );
    expect([outcome, row.warnings]).toEqual(["completed", [expect.stringContaining("No speech was found")]]);
  });

  test("takes 0.4 seconds of sound", async () => {
    const { outcome } = await run(
      box.parts.findSpeakers,
      { diarize: true, num_speakers: 2 },
      makeWav({ seconds: 0.4 }),
    );
    expect(outcome).toBe("completed");
  });

  test("is completed with a warning where diarization fails", async () => {
    const fails: FindSpeakers = () => Promise.reject(new Error("/secret/place is not there"));
    const { outcome, row, result } = await run(fails, { diarize: true });
    expect(outcome).toBe("completed");
    expect(row.warnings).toEqual([expect.stringContaining("could not be told apart")]);
    expect(JSON.stringify(row.warnings)).not.toContain("secret");
    expect(result!.diarization).toBeUndefined();
  });

  test("cancelled, stops looking for them at once", async () => {
    let stopped: unknown;
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const endless: FindSpeakers = (_, { signal }) =>
      new Promise((_done, reject) => {
        begin();
        signal.addEventListener("abort", () => {
          stopped = signal.reason;
          reject(signal.reason);
        });
      });
    const { id } = await box.upload(makeWav({ seconds: 1 }), {}, { options: { diarize: true } });
    const work = box.work(id, { ...box.parts, findSpeakers: endless });
    await begun;
    await box.jobs.cancel(id);
    box.parts.held.stopJob(id, "cancelled");
    expect(await work).toBe("dropped");
    expect(stopped).toMatchObject({ name: "WorkStopped", reason: "cancelled" });
    expect((await box.row(id)).status).toBe("cancelled");
  });

  test("of an engine that plays without audio has none, and says why", async () => {
    const { id } = await box.create({ audio: false, windows: 1 }, { options: { diarize: true } });
    expect(await box.work(id)).toBe("completed");
    expect((await box.row(id)).warnings).toEqual([expect.stringContaining("plays without audio")]);
  });
});

describe("a job that ends after its speakers were found, in the middle of its transcription", () => {
  const options = { diarize: true, min_speakers: 2 };
  const kept = async (id: string) =>
    (await box.db.pool.query("SELECT diarization_checkpoint AS kept FROM jobs WHERE id = $1", [id])).rows[0].kept;

  /** Its worker leaves at the first window that is written after the speakers were. */
  async function leave(as: Partial<WorkerParts> = {}) {
    const { id } = await box.upload(makeWav({ seconds: 3 }), { delay_ms: 50, windows: 100 }, { options });
    const held = createHeldJobs();
    const work = box.work(id, { ...box.parts, findSpeakers: twoSpeakers, held, ...as });
    await waitFor(async () => (await kept(id)) !== null && (await box.jobs.segments(id)).length > 0);
    held.stopAll("shutdown");
    expect(await work).toBe("handed_back");
    // The rest is played at once.
    await box.db.pool.query("UPDATE jobs SET metadata = $2 WHERE id = $1", [id, { synthetic: '{"windows": 2}' }]);
    return id;
  }
  const never: FindSpeakers = () => Promise.reject(new Error("asked"));
  function counting() {
    const asked = { times: 0 };
    const find: FindSpeakers = (question, how) => {
      asked.times++;
      return twoSpeakers(question, how);
    };
    return { asked, find };
  }

  test("has them at the next attempt, and nobody listens again", async () => {
    const id = await leave();
    expect(await box.work(id, { ...box.parts, findSpeakers: never })).toBe("completed");
    expect((await box.row(id)).warnings).toEqual([]);
    const result = await box.jobs.transcript(id);
    expect(result!.diarization).toEqual({ method: "scripted", num_speakers: 2, turns });
    expect(result!.segments.every(({ speaker }) => speaker !== undefined)).toBe(true);
    expect(await kept(id)).toBeNull();
  });

  /** Sets columns of the job. */
  const set = (columns: Record<string, unknown>) => async (id: string) => {
    for (const [column, value] of Object.entries(columns)) {
      await box.db.pool.query(`UPDATE jobs SET ${column} = $2 WHERE id = $1`, [id, value]);
    }
  };
  const hearOther = async (id: string) => {
    const other = await box.row((await box.upload(makeWav({ seconds: 2 }))).id);
    await set({ audio_key: other.audioKey, audio_sha256: other.audioSha256, audio_bytes: other.audioBytes })(id);
  };

  test.each<[string, (id: string) => Promise<void>, Partial<WorkerParts>]>([
    ["another number of speakers", set({ options: { diarize: true, min_speakers: 3 } }), {}],
    ["another part of it", set({ options: { ...options, clip: { start: 1 } } }), {}],
    ["other audio", hearOther, {}],
    ["other networks", set({}), { resultCache: createResultCache({ engines: new Map(), speakers: "others" }) }],
  ])("is listened to again where it now has %s", async (_, change, parts) => {
    const id = await leave();
    await change(id);
    const { asked, find } = counting();
    expect(await box.work(id, { ...box.parts, ...parts, findSpeakers: find })).toBe("completed");
    expect(asked.times).toBe(1);
  });

  test("tells its retry of them", async () => {
    const id = await leave();
    await box.jobs.cancel(id);
    const again = await box.jobs.retry(id, { apiKeyId: (await box.row(id)).apiKeyId!, isStored: async () => true });
    expect(await box.work(again!.id, { ...box.parts, findSpeakers: never })).toBe("completed");
    expect((await box.jobs.transcript(again!.id))!.speakers).toEqual(["SPEAKER_00", "SPEAKER_01"]);
  });

  test("keeps nothing for a job that another worker has by now", async () => {
    const { id } = await box.upload(makeWav({ seconds: 1 }), {}, { options });
    const late = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const paused: FindSpeakers = async (question, how) => {
      begun.resolve();
      await late.promise;
      return await twoSpeakers(question, how);
    };
    const work = box.work(id, { ...box.parts, findSpeakers: paused });
    await begun.promise;
    await expireLease(box.db, id);
    const other = await box.makeParts("worker-b");
    expect(await box.work(id, { ...other, findSpeakers: twoSpeakers })).toBe("completed");
    late.resolve();
    expect(await work).toBe("dropped");
    expect(await kept(id)).toBeNull();
  });
});

test("a job that does not ask is not listened to", async () => {
  const never: FindSpeakers = () => Promise.reject(new Error("asked"));
  const { row, result } = await run(never, {});
  expect(row.warnings).toEqual([]);
  expect(result!.speakers).toBeUndefined();
});

test("the sample dialogue's two speakers are found", async () => {
  const wav = readFileSync(join(import.meta.dirname, "../../../models/sample/dialogue.wav"));
  const { result } = await run(box.parts.findSpeakers, { diarize: true }, wav);
  expect(result!.diarization!.num_speakers).toBe(2);
}, 60_000);
