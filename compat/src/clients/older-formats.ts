import { createHmac } from "node:crypto";
import { startReceiver } from "@scribe/testing";
import { expect, expectEqual } from "../expect.ts";
import type { Row } from "../row.ts";
import { assertHeard, type Stage } from "../stage.ts";
import { until } from "../wait-for-job.ts";

/** Services that had no client of their own: what their callers send, by hand. */
const row = (client: string, feature: string, run: Row["run"]): Row => ({ client, feature, run });

type Answer = Record<string, unknown>;

const speech = ({ sample }: Stage, fields: Record<string, string> = {}) => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob([sample.bytes]), "speech.wav");
  return form;
};

async function call(url: string, init: RequestInit = {}): Promise<{ status: number; answer: Answer }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(60_000), ...init });
  return { status: response.status, answer: (await response.json()) as Answer };
}

const json = (body: object, token?: string): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
  body: JSON.stringify(body),
});

async function makeKey({ stack }: Stage, more: object): Promise<string> {
  const response = await stack.call("/api/v1/keys", json({ name: "older", scopes: ["transcribe"], ...more }));
  expectEqual(response.status, 201, "a key");
  return ((await response.json()) as { key: string }).key;
}

const notes = "audio-to-notes format";

async function noteOf(stage: Stage, form: FormData, headers: Record<string, string> = {}): Promise<Answer> {
  const base = `${stage.url}/compat/notes/${stage.key}`;
  const created = await call(`${base}/jobs`, { method: "POST", body: form, headers });
  expectEqual([created.status, created.answer.status], [200, "queued"], "the job");
  const ended = await until(
    () => call(`${base}/jobs/${created.answer.job_id}`),
    ({ answer }) => ["completed", "failed"].includes(String(answer.status)),
  );
  return ended.answer;
}

const download = async (stage: Stage, id: unknown) =>
  await (await fetch(`${stage.url}/compat/notes/${stage.key}/jobs/${id}/download`)).text();

export const olderFormatRows: readonly Row[] = [
  row(notes, "a job with speakers, its text", async (stage) => {
    const job = await noteOf(stage, speech(stage, { diarize: "true" }));
    expectEqual([job.status, job.transcript_available, job.diarize], ["completed", true, true], "its end");
    const text = await download(stage, job.job_id);
    assertHeard(stage, text);
    expect(/^SPEAKER_0\d: /.test(text), "who speaks", text.slice(0, 80));
  }),
  row(notes, "with a key of OpenAI's", async (stage) => {
    const job = await noteOf(stage, speech(stage), { "X-OpenAI-API-Key": stage.openai.key });
    expectEqual(job.status, "completed", "its end");
    expect(stage.openai.server.requests.length > 0, "OpenAI was asked");
    expect((await download(stage, job.job_id)).length > 10, "its text");
  }),
  row(notes, "a wrong key of OpenAI's fails the job", async (stage) => {
    const job = await noteOf(stage, speech(stage), { "X-OpenAI-API-Key": "sk-wrong-0123456789" });
    expectEqual([job.status, job.transcript_available], ["failed", false], "its end");
    expect(!JSON.stringify(job).includes("sk-wrong"), "the key is not shown", job.error);
  }),
  row("storage service format", "a job, its text", async (stage) => {
    const base = `${stage.url}/compat/storage/${stage.key}/api/jobs`;
    const { answer } = await call(base, { method: "POST", body: speech(stage, { language: "en" }) });
    const ended = await until(
      () => call(`${base}/${answer.id}`),
      (seen) => ["completed", "failed"].includes(String(seen.answer.status)),
    );
    assertHeard(stage, String(ended.answer.text));
  }),
  row("SaaS backend format", "account, file, job, signed text", async (stage) => {
    const base = `${stage.url}/compat/saas`;
    const account = { email: `dana-${Date.now()}@example.com`, password: "correct horse battery" };
    expectEqual((await call(`${base}/auth/register`, json(account))).status, 200, "an account");
    const login = await call(`${base}/auth/login`, json(account));
    const token = String(login.answer.access_token);
    const presigned = await call(`${base}/files/presign`, json({ filename: "speech.wav" }, token));
    const put = await call(String(presigned.answer.upload_url), { method: "PUT", body: stage.sample.bytes });
    expectEqual(put.status, 200, "the bytes");
    const file = { storage_key: presigned.answer.storage_key };
    expectEqual((await call(`${base}/files/complete`, json(file, token))).answer.status, "uploaded", "the file");
    const { answer: job } = await call(`${base}/jobs`, json({ ...file, language: "en", mode: "dialogue" }, token));
    const ask = () => call(`${base}/jobs/${job.id}`, { headers: { authorization: `Bearer ${token}` } });
    await until(ask, ({ answer }) => ["completed", "failed"].includes(String(answer.status)));
    const link = await call(`${base}/jobs/${job.id}/download`, { headers: { authorization: `Bearer ${token}` } });
    assertHeard(stage, await (await fetch(String(link.answer.url))).text());
  }),
  row("FastAPI format", "a job and its webhooks, signed over the raw bytes", async (stage) => {
    const key = await makeKey(stage, { profile: "legacy", webhook_format: "legacy" });
    const receiver = await startReceiver();
    try {
      const asked = {
        url: stage.sample.url,
        language: "en",
        recording_id: "הקלטה",
        webhook_url: receiver.url,
        cache: false,
      };
      const { status } = await call(`${stage.url}/api/v1/transcribe`, json(asked, key));
      expectEqual(status, 200, "the job");
      // Of two that are due at once either may come first.
      const requests = await receiver.waitForRequests(2, { timeoutMs: 120_000 });
      const of = (status: string) => requests.find((request) => (request.json() as Answer).status === status);
      const last = of("transcribed");
      expect(of("transcribing") !== undefined, "the webhook of its start", requests.length);
      const told = (last?.json() ?? {}) as { status: string; recording_id: string; transcription: { text: string } };
      expectEqual([told.status, told.recording_id], ["transcribed", "הקלטה"], "the webhook of its end");
      assertHeard(stage, told.transcription.text);
      const signed = createHmac("sha256", stage.ivritSecret)
        .update(last?.body ?? "")
        .digest("hex");
      expectEqual(last?.headers["x-webhook-signature"], signed, "its signature");
    } finally {
      await receiver.stop();
    }
  }),
];
