import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { makeWav, tone } from "@scribe/testing";
import { openWorkerBox, type WorkerBox } from "./worker-box.ts";

const SCRIPT = { window_seconds: 60, text: "Heard {n}." };

let box: WorkerBox;
let folder: string;
beforeAll(async () => {
  box = await openWorkerBox({ maxAudioSeconds: 7200 });
  folder = await mkdtemp(join(tmpdir(), "scribe-media-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  expect(await box.temporaryFiles()).toEqual(["worker-a"]);
  await box.close();
});

/** A file that ffmpeg makes of `inputs`. */
async function make(name: string, ...args: string[]): Promise<Uint8Array> {
  const path = join(folder, name);
  await promisify(execFile)(box.parts.programs.ffmpeg, ["-v", "error", "-y", ...args, path], { timeout: 60_000 });
  return await readFile(path);
}

async function submit(audio: Uint8Array, script: Record<string, unknown> = SCRIPT) {
  const { id } = await box.upload(audio, script);
  const outcome = await box.work(id);
  return { outcome, job: await box.row(id), transcript: await box.jobs.transcript(id) };
}

const hum = ["-f", "lavfi", "-i", "sine=frequency=440:duration=2"];

describe("audio that must complete", () => {
  test("an hour of silence, as an empty text", async () => {
    const { job, transcript } = await submit(makeWav({ seconds: 3600, sampleRate: 8000 }), { ...SCRIPT, text: "" });
    expect(job).toMatchObject({ status: "completed", duration: 3600, warnings: [] });
    expect(transcript).toMatchObject({ text: "", segments: [], duration: 3600 });
  });

  test("8 kHz", async () => {
    const { job } = await submit(makeWav({ seconds: 2, sampleRate: 8000, signal: tone(440) }));
    expect(job).toMatchObject({ status: "completed", duration: 2 });
  });

  test("5.1 channels", async () => {
    const { job } = await submit(await make("surround.flac", ...hum, "-ac", "6"));
    expect(job).toMatchObject({ status: "completed", duration: 2, warnings: [] });
  });

  test("a wrong extension: what counts is what is inside", async () => {
    const { job } = await submit(await make("really-a-wav.mp3", ...hum, "-f", "wav"));
    expect(job).toMatchObject({ status: "completed", duration: 2 });
  });

  test("a truncated file: what is there, with a warning", async () => {
    const whole = makeWav({ seconds: 10, signal: tone(440) });
    const { job, transcript } = await submit(whole.subarray(0, Math.floor(whole.length * 0.4)));
    expect(job.status).toBe("completed");
    expect(job.duration).toBeCloseTo(4, 1);
    expect(job.warnings).toHaveLength(1);
    expect(transcript!.text).toBe("Heard 1.");
  });

  test("the sound of a video", async () => {
    const { job } = await submit(await make("video.mp4", ...hum, "-f", "lavfi", "-i", "color=size=64x64:duration=2"));
    expect(job.status).toBe("completed");
  });
});

describe("audio that must fail", () => {
  const failure = async (audio: Uint8Array) => {
    const { outcome, job } = await submit(audio);
    expect(outcome).toBe("failed");
    expect(job.status).toBe("failed");
    // A sentence for a person, without anything of ours in it.
    expect(job.error!.message).toMatch(/^[A-Z].*\.$/);
    expect(job.error!.message).not.toContain("/");
    return job.error;
  };

  test("an empty file", async () => {
    expect(await failure(new Uint8Array())).toEqual({
      code: "unsupported_audio",
      message: "The file is empty.",
      retryable: false,
    });
  });

  test("what is no audio", async () => {
    expect(await failure(Buffer.from("Dear Sir or Madam, ".repeat(100)))).toMatchObject({ code: "unsupported_audio" });
  });

  test("audio without samples", async () => {
    expect(await failure(makeWav({ seconds: 0 }))).toMatchObject({ code: "unsupported_audio" });
  });

  test("video without audio", async () => {
    const mute = await make("mute.mp4", "-f", "lavfi", "-i", "color=size=64x64:duration=1");
    expect(await failure(mute)).toMatchObject({ code: "no_audio_stream" });
  });

  test("more audio than is allowed", async () => {
    expect(await failure(makeWav({ seconds: 7300, sampleRate: 4000 }))).toMatchObject({ code: "audio_too_long" });
  });

  test("an upload that is no longer stored", async () => {
    const { id } = await box.upload(makeWav({ seconds: 1 }), SCRIPT);
    await box.storage.remove((await box.row(id)).audioKey!);
    expect(await box.work(id)).toBe("failed");
    expect((await box.row(id)).error).toMatchObject({ code: "audio_expired", retryable: false });
    const gone = await box.create(SCRIPT, { source: { kind: "upload", uploadId: "gone" } });
    expect(await box.work(gone.id)).toBe("failed");
    expect((await box.row(gone.id)).error).toMatchObject({ code: "audio_expired" });
  });

  test("stored audio that does not come whole is tried again, and never transcribed", async () => {
    const { id } = await box.upload(makeWav({ seconds: 1 }), SCRIPT, { audioSha256: "0".repeat(64) });
    expect([await box.work(id), await box.work(id), await box.work(id)]).toEqual(["retry", "retry", "failed"]);
    expect((await box.row(id)).error).toMatchObject({ code: "internal", retryable: true });
  });
});
