import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  type FileServer,
  type Receiver,
  sampleDialogue,
  startFileServer,
  startReceiver,
  startTestStack,
  type TestStack,
  waitFor,
} from "@scribe/testing";
import { generateWebhookSecret, verifySignature } from "@scribe/webhooks";
import { readEvents } from "./read-events.ts";

const JOB_LIMIT_MS = 60_000;

/** What these tests look at in a job. */
interface JobView {
  job_id: string;
  status: string;
  phase: string;
  result: { text: string; duration: number; segments: { text: string }[] };
  error: { code: string; message: string };
}

/** The main path over HTTP, every part a process. `prepare` says with which servers behind it, and ends them. */
export function describeMainPath(
  name: string,
  prepare: () => Promise<{ env: Record<string, string>; stop(): Promise<void> }>,
): void {
  describe(name, () => {
    let servers: { env: Record<string, string>; stop(): Promise<void> };
    let stack: TestStack;
    let files: FileServer;
    let receiver: Receiver;
    const secret = generateWebhookSecret();

    beforeAll(async () => {
      servers = await prepare();
      [stack, files, receiver] = await Promise.all([startTestStack(servers.env), startFileServer(), startReceiver()]);
    }, 90_000);

    afterAll(async () => {
      const code = await stack?.stop();
      await Promise.all([files?.stop(), receiver?.stop()]);
      await servers?.stop();
      expect(code).toBe(0);
    }, 60_000);

    const post = (path: string, body: object = {}) =>
      stack.call(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });

    const job = async (id: string) => (await (await stack.call(`/api/v1/jobs/${id}`)).json()) as JobView;

    const finished = (id: string) =>
      waitFor(
        async () => {
          const view = await job(id);
          return ["completed", "failed", "cancelled"].includes(view.status) ? view : null;
        },
        { timeoutMs: JOB_LIMIT_MS, everyMs: 100, what: `the end of job ${id}` },
      );

    const webhooksOf = (id: string, count = 1) =>
      receiver.waitForRequests(count, {
        timeoutMs: 20_000,
        match: (request) => (request.json() as { data: { job_id: string } }).data.job_id === id,
      });

    let uploaded: string;

    test("an upload becomes a transcript, told live and by a signed webhook", async () => {
      const sample = sampleDialogue();
      const form = new FormData();
      form.set("webhook_url", receiver.url);
      form.set("webhook_secret", secret);
      form.set("recording_id", "dialogue-1");
      form.set("metadata", JSON.stringify({ room: "kitchen" }));
      form.set("file", new Blob([sample.bytes as Uint8Array<ArrayBuffer>]), "dialogue.wav");
      const answer = await stack.call("/api/v1/transcribe/upload", { method: "POST", body: form });
      expect(answer.status).toBe(202);
      const accepted = (await answer.json()) as JobView;
      uploaded = accepted.job_id;
      expect(answer.headers.get("location")).toContain(uploaded);

      const events = await readEvents(await stack.call(`/api/v1/jobs/${uploaded}/events`));
      expect(events.at(-1)).toMatchObject({ event: "done", data: { status: "completed" } });
      const heard = events.filter(({ event }) => event === "segment").map(({ data }) => data);
      expect(heard.length).toBeGreaterThan(1);
      const ids = events.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
      expect(ids).toEqual([...ids].sort((a, b) => a - b));

      const view = await job(uploaded);
      expect(view).toMatchObject({
        status: "completed",
        progress: 100,
        recording_id: "dialogue-1",
        metadata: { room: "kitchen" },
      });
      expect(view.result.text.split(" ").length).toBeGreaterThan(20);
      expect(view.result.segments.map((segment) => segment.text)).toEqual(heard.map((segment) => segment.text));
      expect(view.result.duration).toBeGreaterThan(20);

      const [delivery] = await webhooksOf(uploaded);
      expect(verifySignature(delivery.body, delivery.headers, [secret])).toEqual({ ok: true });
      expect(delivery.json()).toMatchObject({
        type: "job.completed",
        data: { job_id: uploaded, recording_id: "dialogue-1", metadata: { room: "kitchen" }, status: "completed" },
      });
    }, 90_000);

    test("its transcript comes in five formats", async () => {
      const get = async (format: string) => {
        const answer = await stack.call(`/api/v1/jobs/${uploaded}/transcript?format=${format}`);
        expect(answer.status).toBe(200);
        return { type: answer.headers.get("content-type"), text: await answer.text() };
      };
      const { result } = await job(uploaded);
      const [json, text, srt, vtt, tsv] = await Promise.all(["json", "text", "srt", "vtt", "tsv"].map(get));
      expect(JSON.parse(json.text)).toMatchObject({ text: result.text });
      expect(json.type).toContain("application/json");
      expect(text.text.replace(/\s+/g, " ").trim()).toBe(result.text);
      expect(srt.text).toMatch(/^1\r?\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\r?\n/);
      expect(vtt.text).toMatch(/^WEBVTT/);
      expect(vtt.type).toContain("text/vtt");
      expect(tsv.text).toMatch(/^start\tend\ttext/);
    });

    test("the same recording by its address gives the same text", async () => {
      const url = files.serve("dialogue.wav", sampleDialogue().bytes);
      const answer = await post("/api/v1/transcribe", {
        ...{ url, webhook_url: receiver.url, webhook_secret: secret },
        // It was heard as an upload: this one is to be fetched, decoded and heard again.
        cache: false,
      });
      expect(answer.status).toBe(202);
      const { job_id: id } = (await answer.json()) as { job_id: string };
      const view = await finished(id);
      expect(view).toMatchObject({ status: "completed" });
      expect(view.result.text).toBe((await job(uploaded)).result.text);
      const [delivery] = await webhooksOf(id);
      expect(verifySignature(delivery.body, delivery.headers, [secret])).toEqual({ ok: true });
    }, 90_000);

    test("an address without a recording ends the job with the reason, and a webhook says so", async () => {
      const answer = await post("/api/v1/transcribe", {
        url: `${files.url}/missing.wav`,
        webhook_url: receiver.url,
        webhook_secret: secret,
      });
      const { job_id: id } = (await answer.json()) as { job_id: string };
      const view = await finished(id);
      expect(view).toMatchObject({ status: "failed", error: { code: "audio_fetch_failed" } });
      expect(view.error.message).toContain("404");
      const [delivery] = await webhooksOf(id);
      expect(delivery.json()).toMatchObject({ type: "job.failed", data: { error: { code: "audio_fetch_failed" } } });
    }, 90_000);

    test("cancel means stop: terminal when the call returns, for good", async () => {
      const answer = await post("/api/v1/transcribe", {
        url: files.serve("dialogue.wav", sampleDialogue().bytes),
        engine: "synthetic",
        metadata: { synthetic: { windows: 600, delay_ms: 200, audio: false } },
        webhook_url: receiver.url,
        webhook_secret: secret,
      });
      expect(answer.status).toBe(202);
      const { job_id: id } = (await answer.json()) as { job_id: string };
      await waitFor(async () => (await job(id)).phase === "transcribing", { timeoutMs: 20_000 });
      const cancelled = await post(`/api/v1/jobs/${id}/cancel`);
      expect(cancelled.status).toBe(202);
      expect(await job(id)).toMatchObject({ status: "cancelled" });
      const [delivery] = await webhooksOf(id);
      expect(delivery.json()).toMatchObject({ type: "job.cancelled", data: { status: "cancelled" } });
      expect((await post(`/api/v1/jobs/${id}/cancel`)).status).toBe(200);
      const events = await readEvents(await stack.call(`/api/v1/jobs/${id}/events`));
      expect(events.at(-1)).toMatchObject({ event: "done", data: { status: "cancelled" } });
    }, 60_000);

    test("delete erases a finished job with all that came of it", async () => {
      expect((await stack.call(`/api/v1/jobs/${uploaded}`, { method: "DELETE" })).status).toBe(204);
      for (const path of ["", "/transcript", "/events"]) {
        expect((await stack.call(`/api/v1/jobs/${uploaded}${path}`)).status).toBe(404);
      }
      const list = (await (await stack.call("/api/v1/jobs")).json()) as { data: { job_id: string }[] };
      expect(list.data.map(({ job_id }) => job_id)).not.toContain(uploaded);
    });

    test("health, readiness, models and the API's own description answer", async () => {
      expect(await (await fetch(`${stack.url}/health`)).json()).toMatchObject({ status: "healthy" });
      expect((await fetch(`${stack.url}/ready`)).status).toBe(200);
      const { models } = (await (await stack.call("/api/v1/models")).json()) as { models: { default: boolean }[] };
      expect(models.some((model) => model.default)).toBe(true);
      expect(await (await fetch(`${stack.url}/openapi.json`)).json()).toMatchObject({
        openapi: expect.stringMatching(/^3\.1/),
      });
    });
  });
}
