import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Engine, TranscriptionOptions } from "@scribe/domain";
import { type SpeechRuntime, startSpeechRuntime } from "@scribe/speech";
import { makeWav, sampleDialogue, waitFor } from "@scribe/testing";
import type { WorkerParts } from "../src/attempt.ts";
import { findModel } from "../src/engines/find-model.ts";
import { createOnnxEngine } from "../src/engines/onnx-engine.ts";
import { createHeldJobs } from "../src/held-jobs.ts";
import { log, openWorkerBox, type WorkerBox } from "./worker-box.ts";

const MODEL = "whisper-nano.en";
const places = { modelDir: resolve(import.meta.dirname, "../../../models"), offered: [MODEL] };

let box: WorkerBox;
let graphFolder: string;
let runtime: SpeechRuntime;
let engine: Engine;
let parts: WorkerParts;

beforeAll(async () => {
  box = await openWorkerBox();
  graphFolder = await mkdtemp(join(tmpdir(), "scribe-graphs-"));
  runtime = startSpeechRuntime({
    executionProviders: ["cpu"],
    intraOpThreads: 2,
    // As a worker runs it: compiled from the weights.
    graphs: { cacheFolder: graphFolder, precision: "auto" },
    log: ({ level, message, ...fields }) => log[level](fields, message),
  });
  engine = createOnnxEngine({ runtime, models: { find: (name) => findModel(name, places) } });
  parts = { ...box.parts, engines: new Map([["onnx", { engine }]]) };
});
afterAll(async () => {
  await engine.close();
  expect(await box.temporaryFiles()).toEqual(["worker-a"]);
  await box.close();
  await rm(graphFolder, { recursive: true });
});

const submit = (audio: Uint8Array, options: TranscriptionOptions = {}) =>
  box.upload(audio, {}, { engine: "onnx", model: MODEL, options });

/** The sample twice over: more than one window, so that there is a checkpoint to go on from. */
function sampleTwice(): Buffer {
  const once = Buffer.from(sampleDialogue().bytes);
  const samples = once.subarray(44);
  const twice = Buffer.concat([once, samples]);
  twice.writeUInt32LE(twice.length - 8, 4);
  twice.writeUInt32LE(2 * samples.length, 40);
  return twice;
}

describe("the bundled model behind a worker", () => {
  test("hears the sample dialogue, and hears the same after an interruption", async () => {
    const sample = sampleTwice();
    const { id } = await submit(sample);
    expect(await box.work(id, parts)).toBe("completed");
    const undisturbed = await box.jobs.transcript(id);
    expect(undisturbed!.text.split(" ").length).toBeGreaterThan(10);
    expect(undisturbed!.language).toBe("en");
    expect(engine.loadedModels()).toEqual([MODEL]);

    const disturbed = await submit(sample);
    const leaving = { ...parts, held: createHeldJobs() };
    const work = box.work(disturbed.id, leaving);
    // A checkpoint is gone with its job, which may end between two looks.
    const isUnderWay = async () => {
      const { checkpoint, status } = await box.row(disturbed.id);
      return checkpoint !== null || status === "completed";
    };
    await waitFor(isUnderWay, { timeoutMs: 60_000 });
    leaving.held.stopAll("shutdown");
    expect(["handed_back", "completed"]).toContain(await work);
    await box.work(disturbed.id, parts);
    expect(await box.jobs.transcript(disturbed.id)).toEqual(undisturbed);
  }, 180_000);

  test("hears nothing in silence", async () => {
    const { id } = await submit(makeWav({ seconds: 65 }));
    expect(await box.work(id, parts)).toBe("completed");
    expect(await box.jobs.transcript(id)).toMatchObject({ text: "", segments: [], duration: 65 });
  }, 180_000);

  test("is followed by another process when its own is killed, and the job is not charged", async () => {
    const { id } = await submit(sampleDialogue().bytes);
    const work = box.work(id, parts);
    await waitFor(() => runtime.health().operation);
    process.kill(runtime.health().pid!, "SIGKILL");
    expect(await work).toBe("handed_back");
    expect(await box.row(id)).toMatchObject({ attempts: 0, childDeaths: 1, runAlone: true });
    expect(await box.work(id, parts)).toBe("completed");
  }, 180_000);

  test("is let go at once by a job that is cancelled", async () => {
    const { id } = await submit(makeWav({ seconds: 600, signal: (t) => Math.sin(t * 2000) * 0.3 }), {
      mode: "sequential",
      vad: false,
    });
    const work = box.work(id, parts);
    await waitFor(async () => (await box.row(id)).checkpoint !== null, { timeoutMs: 60_000 });
    await box.jobs.cancel(id);
    const before = performance.now();
    parts.held.stopJob(id, "cancelled");
    expect(await work).toBe("dropped");
    expect(performance.now() - before).toBeLessThan(2000);
  }, 180_000);
});
