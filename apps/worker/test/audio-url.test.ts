import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createOutboundClient } from "@scribe/outbound";
import { type FileServer, makeWav, startFileServer, tone, waitFor } from "@scribe/testing";
import type { WorkerParts } from "../src/attempt.ts";
import { expireLease, openWorkerBox, type WorkerBox } from "./worker-box.ts";

const SCRIPT = { window_seconds: 1, text: "Part {n}." };
const AUDIO = makeWav({ seconds: 2, signal: tone(300) });
const SHA256 = createHash("sha256").update(AUDIO).digest("hex");

let box: WorkerBox;
let files: FileServer;
beforeAll(async () => {
  box = await openWorkerBox({ fetchTimeoutMs: 2000, idleTimeoutMs: 400, maxAudioBytes: 1_000_000, maxAttempts: 1 });
  files = await startFileServer();
});
afterAll(async () => {
  await files.stop();
  expect(await box.temporaryFiles()).toEqual(["worker-a"]);
  await box.close();
});

const submit = (url: string) => box.create(SCRIPT, { source: { kind: "url", url } });

async function errorOf(url: string, parts?: WorkerParts) {
  const { id } = await submit(url);
  expect(await box.work(id, parts)).toBe("failed");
  const { error } = await box.row(id);
  expect(error!.message).toMatch(/^[A-Z].*\.$/);
  return error!;
}

describe("audio at a URL", () => {
  test("is fetched, stored with its hash, and transcribed", async () => {
    const { id, tenantId } = await submit(files.serve("good.wav", AUDIO));
    expect(await box.work(id)).toBe("completed");
    expect(await box.row(id)).toMatchObject({
      status: "completed",
      duration: 2,
      audioKey: `audio/${tenantId}/${id}/source-1`,
      audioSha256: SHA256,
      audioBytes: AUDIO.length,
    });
    expect(await box.storage.stat(`audio/${tenantId}/${id}/source-1`)).toMatchObject({ bytes: AUDIO.length });
    expect((await box.jobs.transcript(id))!.text).toBe("Part 1. Part 2.");
  });

  test("is fetched once: the next attempt reads what was stored", async () => {
    const url = files.serve("once.wav", AUDIO);
    const { id } = await box.create({ ...SCRIPT, crash_at: 1 }, { source: { kind: "url", url } });
    expect(await box.work(id)).toBe("handed_back");
    files.serve("once.wav", { status: 500 });
    expect(await box.work(id)).toBe("handed_back");
    expect(await box.row(id)).toMatchObject({ childDeaths: 2, error: null });
    expect(files.requests.filter(({ path }) => path === "/once.wav")).toHaveLength(1);
  });

  test("comes without a length, or over a redirect", async () => {
    const chunked = await submit(files.serve("chunked.wav", { bytes: AUDIO, fault: "no-length" }));
    expect(await box.work(chunked.id)).toBe("completed");
    const redirected = await submit(files.serve("moved.wav", { redirectTo: "/good.wav" }));
    expect(await box.work(redirected.id)).toBe("completed");
  });

  test.each([
    [404, false, "there is nothing at this address"],
    [410, false, "there is nothing at this address"],
    [403, false, "a signed address may have expired"],
    [418, false, "it gives no audio"],
    [429, true, "too many requests"],
    [503, true, "the server has a problem"],
  ])("that answers %i ends as audio_fetch_failed, retryable: %s", async (status, retryable, hint) => {
    const error = await errorOf(files.serve(`status-${status}.wav`, { status, bytes: Buffer.from("sorry") }));
    expect(error).toMatchObject({ code: "audio_fetch_failed", retryable });
    expect(error.message).toContain(`answered ${status}`);
    expect(error.message).toContain(hint);
  });

  test.each(["hang", "hang-midway", "reset-midway", "claims-more"] as const)(
    "with the fault %s may be tried again",
    async (fault) => {
      expect(await errorOf(files.serve(`${fault}.wav`, { bytes: AUDIO, fault }))).toMatchObject({
        code: "audio_fetch_failed",
        retryable: true,
      });
    },
  );

  test("that redirects for ever ends for good", async () => {
    const url = files.serve("loop.wav", { fault: "redirect-forever" });
    expect(await errorOf(url)).toMatchObject({ code: "audio_fetch_failed", retryable: false });
  });

  test("that trickles is given up when its time is over", async () => {
    const url = files.serve("slow.wav", { bytes: AUDIO, bytesPerSecond: 1000 });
    expect(await errorOf(url)).toMatchObject({ code: "audio_fetch_failed", retryable: true });
  });

  test("that is larger than allowed is refused, whether it says so before or not", async () => {
    const bytes = Buffer.alloc(1_100_000);
    const expected = { code: "audio_too_large", retryable: false };
    expect(await errorOf(files.serve("large.wav", { bytes }))).toMatchObject(expected);
    expect(await errorOf(files.serve("endless.wav", { bytes, fault: "no-length" }))).toMatchObject(expected);
  });

  test("inside the network is not reached", async () => {
    const outbound = createOutboundClient({});
    try {
      const error = await errorOf(files.serve("inside.wav", AUDIO), { ...box.parts, outbound });
      expect(error).toMatchObject({ code: "url_not_allowed", retryable: false });
      expect(files.requests.some(({ path }) => path === "/inside.wav")).toBe(false);
    } finally {
      await outbound.close();
    }
  });

  test("stops being fetched when the job is cancelled", async () => {
    const url = files.serve("cancelled.wav", { bytes: AUDIO, bytesPerSecond: 20_000 });
    const { id } = await submit(url);
    const work = box.work(id);
    await waitFor(() => files.requests.some(({ path }) => path === "/cancelled.wav"));
    await box.jobs.cancel(id);
    const before = performance.now();
    box.parts.held.stopJob(id, "cancelled");
    expect(await work).toBe("dropped");
    expect(performance.now() - before).toBeLessThan(300);
    expect(await box.row(id)).toMatchObject({ status: "cancelled", audioKey: null });
  });

  test("is not written down by a worker that lost the lease meanwhile", async () => {
    const url = files.serve("late.wav", { bytes: AUDIO, bytesPerSecond: 30_000 });
    const taker = await box.makeParts("worker-a");
    const { id } = await submit(url);
    const late = box.work(id);
    await waitFor(() => files.requests.some(({ path }) => path === "/late.wav"));
    files.serve("late.wav", AUDIO);
    // Last: its holder renews it meanwhile.
    await expireLease(box.db, id);
    expect(await box.work(id, taker)).toBe("completed");
    expect(await late).toBe("dropped");
    expect(await box.row(id)).toMatchObject({ status: "completed", attempts: 0 });
  });
});
