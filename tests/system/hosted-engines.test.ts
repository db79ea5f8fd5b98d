import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  type AssemblyaiStandIn,
  makeWav,
  type OpenaiStandIn,
  startAssemblyaiStandIn,
  startOpenaiStandIn,
  startTestStack,
  type TestStack,
  tone,
  waitFor,
} from "@scribe/testing";

const OPERATOR_KEY = "sk-operator-0123456789";
const TENANT_KEY = "tenant-0123456789abcdef";

let openai: OpenaiStandIn;
let assemblyai: AssemblyaiStandIn;
let stack: TestStack;
beforeAll(async () => {
  openai = await startOpenaiStandIn({ key: OPERATOR_KEY });
  assemblyai = await startAssemblyaiStandIn({ key: TENANT_KEY });
  stack = await startTestStack({
    OPENAI_API_KEY: OPERATOR_KEY,
    OPENAI_BASE_URL: openai.baseUrl,
    PROVIDER_TIMEOUT_SECONDS: "2",
    LOG_LEVEL: "debug",
  });
}, 90_000);
afterAll(async () => {
  await stack?.stop();
  await Promise.all([openai.stop(), assemblyai.stop()]);
}, 60_000);

interface Job {
  status: string;
  attempts: number;
  engine: string;
  model: string;
  error?: { code: string; message: string; retryable: boolean };
  result?: {
    text: string;
    speakers?: string[];
    words_method?: string;
    segments: { words: { word: string; start: number }[] }[];
  };
}

async function submit(seconds: number, fields: Record<string, string>, headers: Record<string, string> = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set("file", new Blob([makeWav({ seconds, signal: tone(440) })]), "a.wav");
  const answer = await stack.call("/api/v1/transcribe/upload", { method: "POST", body: form, headers });
  expect(answer.status).toBe(202);
  return ((await answer.json()) as { job_id: string }).job_id;
}

const read = async (id: string) => (await (await stack.call(`/api/v1/jobs/${id}`)).json()) as Job;

const ended = (id: string) =>
  waitFor(
    async () => {
      const job = await read(id);
      return ["completed", "failed", "cancelled"].includes(job.status) ? job : null;
    },
    { timeoutMs: 60_000, what: `${id} to end` },
  );

test("an upload becomes a transcript of OpenAI's, with the operator's key", async () => {
  const id = await submit(12, { engine: "openai" });
  const job = await ended(id);
  expect(job).toMatchObject({ status: "completed", engine: "openai", model: "whisper-1" });
  expect(job.result!.text).toMatch(/^word0, word1, .* word11,$/);
  expect(job.result!.segments[0]!.words.map(({ start }) => start)).toEqual(Array.from({ length: 12 }, (_, i) => i));
  const srt = await stack.call(`/api/v1/jobs/${id}/transcript?format=srt`);
  expect(await srt.text()).toContain("00:00:00,000 -->");
});

test("an upload becomes a transcript of AssemblyAI's, with the tenant's key and address", async () => {
  const settings = { api_key: TENANT_KEY, base_url: assemblyai.url, models: ["universal"] };
  const put = await stack.call("/api/v1/providers/assemblyai", {
    ...{ method: "PUT", body: JSON.stringify(settings), headers: { "content-type": "application/json" } },
  });
  expect(put.status).toBe(200);
  const job = await ended(await submit(20, { engine: "assemblyai", diarize: "true" }));
  expect(job).toMatchObject({ status: "completed", model: "universal" });
  expect(job.result).toMatchObject({ speakers: ["SPEAKER_00", "SPEAKER_01"], words_method: "provider" });
});

describe("what goes wrong there", () => {
  test.each([[{ status: 429, headers: { "retry-after": "1" } }], [{ status: 500 }], ["half"], ["hang"]] as const)(
    "%j passes",
    async (fault) => {
      openai.fail(/transcriptions/, fault as never);
      expect(await ended(await submit(3, { engine: "openai" }))).toMatchObject({ status: "completed" });
    },
  );

  test("a wrong key ends the job, and is repeated nowhere", async () => {
    const key = "sk-wrong-9876543210";
    const job = await ended(await submit(3, { engine: "openai" }, { "X-Provider-Key": key }));
    expect(job).toMatchObject({
      status: "failed",
      attempts: 1,
      error: { code: "provider_unauthorized", retryable: false },
    });
    expect(JSON.stringify(job) + stack.process.output()).not.toContain(key);
  });

  test("a refusal ends the job with the provider's words", async () => {
    openai.fail(/transcriptions/, { status: 400, message: "Unsupported audio." });
    const job = await ended(await submit(3, { engine: "openai" }));
    expect(job.error).toMatchObject({
      code: "provider_error",
      message: expect.stringContaining("Unsupported audio."),
      retryable: false,
    });
  });

  test("a cancelled job lets go of it within two seconds", async () => {
    openai.fail(/transcriptions/, "hang");
    const [asked, abandoned] = [openai.requests.length, openai.abandoned];
    const id = await submit(3, { engine: "openai" });
    await waitFor(() => openai.requests.length > asked, { timeoutMs: 20_000, what: "the provider to be asked" });
    const startedAt = performance.now();
    await stack.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
    await waitFor(() => openai.abandoned > abandoned, { timeoutMs: 10_000, what: "the request to be let go of" });
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(await read(id)).toMatchObject({ status: "cancelled" });
  });
});

test("neither key stands in a line of the log", () => {
  expect(stack.process.output()).not.toMatch(/sk-operator|tenant-0123/);
});
