import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import type { DiarizationRequest } from "../../src/diarize/process/diarization.ts";
import { diarize } from "../../src/diarize/process/run-diarization.ts";
import { speechSpans } from "../../src/diarize/speech-spans.ts";
import { voices } from "./voices.ts";

const folder = mkdtempSync(join(tmpdir(), "diarization-"));
afterAll(() => rmSync(folder, { recursive: true }));

const request = (more: Partial<DiarizationRequest> = {}): DiarizationRequest => ({
  pcmPath: join(folder, "voices.pcm"),
  executionProviders: ["cpu"],
  intraOpThreads: 1,
  ...more,
});
const never = new AbortController().signal;

/** A child of another kind: what it does instead. */
function child(name: string, script: string): string {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, script);
  return path;
}

describe("a recording in its own process", () => {
  const { samples, turns } = voices([0, 1], 3);
  writeFileSync(
    join(folder, "voices.pcm"),
    Int16Array.from(samples, (sample) => Math.round(sample * 20_000)),
  );
  const speech = turns.map(({ start, end }) => ({ start, end }));

  test("is told apart, and progress rises", async () => {
    const shares: number[] = [];
    const found = await diarize(request({ speech, minSpeakers: 2 }), {
      signal: never,
      onProgress: (share) => shares.push(share),
    });
    expect(found).toMatchObject({ method: "gaussian-bic", speakers: ["SPEAKER_00", "SPEAKER_01"], speechSeconds: 6 });
    expect(found.turns.map(({ speaker }) => speaker)).toEqual(["SPEAKER_00", "SPEAKER_01"]);
    expect(found.exclusiveTurns).toEqual(found.turns);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
  }, 60_000);

  test("keeps its own times where only a part is listened to", async () => {
    const clip = { start: turns[1].start, end: turns[1].end };
    const { turns: found } = await diarize(request({ speech: [speech[1]], clip }), { signal: never });
    expect(found).toHaveLength(1);
    expect(found[0].start).toBeCloseTo(turns[1].start, 1);
    expect(found[0].end).toBeCloseTo(turns[1].end, 1);
  }, 60_000);

  test("that is not there is an error of its own", async () => {
    const work = diarize(request({ pcmPath: join(folder, "none") }), { signal: never });
    await expect(work).rejects.toMatchObject({ code: "internal" });
  }, 60_000);

  test("with a network's folder that is empty says which kind of error it is", async () => {
    const models = { segmentationModel: folder, embeddingModel: folder };
    await expect(diarize(request(models), { signal: never })).rejects.toMatchObject({ code: "model_unavailable" });
  }, 60_000);
});

describe("a child that goes wrong", () => {
  test("by dying is `worker_crashed`, with its last words", async () => {
    const childPath = child(
      "dies",
      `process.once("message", () => { console.error("out of luck"); process.exit(3); });`,
    );
    await expect(diarize(request(), { signal: never, childPath })).rejects.toMatchObject({
      code: "worker_crashed",
      message: expect.stringContaining("(3)"),
    });
  });

  test("by saying nothing is `timeout`, and is killed", async () => {
    const childPath = child("hangs", `process.once("message", () => { setInterval(() => {}, 1000); });`);
    await expect(diarize(request(), { signal: never, childPath, silenceMs: 50 })).rejects.toMatchObject({
      code: "timeout",
    });
  });

  test("is killed at once when the work is cancelled", async () => {
    const childPath = child(
      "tells",
      `process.send({ type: "progress", share: process.pid }); setInterval(() => {}, 1000);`,
    );
    const stop = new AbortController();
    let pid = 0;
    const onProgress = (share: number) => {
      pid = share;
      stop.abort(new Error("cancelled"));
    };
    await expect(diarize(request(), { signal: stop.signal, childPath, onProgress })).rejects.toThrow("cancelled");
    const isAlive = () => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    for (let i = 0; i < 100 && isAlive(); i++) await new Promise((done) => setTimeout(done, 20));
    expect(isAlive()).toBe(false);
  });

  test("is not even started where the work is cancelled already", () => {
    expect(() => diarize(request(), { signal: AbortSignal.abort(new Error("before")) })).toThrow("before");
  });
});

describe("stretches of speech", () => {
  test("begin loud, end quiet, and bridge short pauses", () => {
    const probabilities = [
      0,
      0,
      0.2,
      0.9,
      0.2,
      0.9,
      ...new Array(5).fill(0),
      0.9,
      0.9,
      0.9,
      0.9,
      ...new Array(20).fill(0),
      0.9,
    ];
    const spans = speechSpans(probabilities, probabilities.length * 0.032);
    expect(spans).toEqual([{ start: expect.closeTo(0.046, 3), end: expect.closeTo(0.53, 3) }]);
  });

  test("of silence are none", () => expect(speechSpans(new Float32Array(100), 3.2)).toEqual([]));
});
