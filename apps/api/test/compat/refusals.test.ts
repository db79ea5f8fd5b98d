import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type CallInit, startTestApi, type TestApi } from "../start-test-api.ts";
import { wav } from "../uploads.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
}, 60_000);
afterAll(() => api.stop());

const WRONG_KEY = `sr_aaaaaaaa_${"b".repeat(40)}`;
const URL_INSIDE = "http://169.254.169.254/latest/meta-data";
const audio: CallInit = { method: "POST", body: new Uint8Array(wav), headers: { "Content-Type": "audio/wav" } };
const noAudio: CallInit = { method: "POST", body: "words, not sounds", headers: { "Content-Type": "audio/wav" } };

async function refused(path: string, init: CallInit): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await api.call(path, init);
  expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("Deepgram", () => {
  const LISTEN = "/deepgram/v1/listen";

  test.each<[string, string, CallInit, number, string]>([
    ["a wrong key", LISTEN, { ...audio, key: WRONG_KEY }, 401, "INVALID_AUTH"],
    ["no audio", LISTEN, noAudio, 400, "Bad Request"],
    ["a flag that is none", `${LISTEN}?diarize=perhaps`, audio, 400, "Bad Request"],
    ["an unknown model", `${LISTEN}?model=no-such`, audio, 400, "Bad Request"],
    ["a callback that is no URL", `${LISTEN}?callback=nowhere`, audio, 400, "Bad Request"],
    [
      "a callback with credentials that are none",
      `${LISTEN}?callback=https://a%25ff:b@example.com/`,
      audio,
      400,
      "Bad Request",
    ],
    ["a callback inside", `${LISTEN}?callback=${encodeURIComponent(URL_INSIDE)}`, audio, 400, "REMOTE_CONTENT_ERROR"],
    ["JSON without a source", LISTEN, { json: {} }, 400, "Bad Request"],
    ["an address inside", LISTEN, { json: { url: URL_INSIDE } }, 400, "REMOTE_CONTENT_ERROR"],
    ["a path that is none", "/deepgram/v1/speak", audio, 404, "NOT_FOUND"],
  ])("%s", async (_name, path, init, status, code) => {
    const { body, ...answer } = await refused(path, init);
    expect(answer.status).toBe(status);
    expect(body).toEqual({ err_code: code, err_msg: expect.any(String), request_id: expect.any(String) });
  });

  test("what is not carried out is named", async () => {
    const callback = encodeURIComponent("https://me:secret@example.com/hook");
    const response = await api.call(`${LISTEN}?summarize=v2&topics=true&punctuate=true&callback=${callback}`, audio);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-ignored-fields")).toBe("summarize, topics");
    const { request_id: id } = (await response.json()) as { request_id: string };
    const { rows } = await api.db.pool.query(
      "SELECT webhook_url, webhook_headers_encrypted AS sealed FROM jobs WHERE id = $1",
      [id],
    );
    // Credentials leave the address, and are stored encrypted.
    expect(rows[0].webhook_url).toBe("https://example.com/hook");
    expect(rows[0].sealed).not.toContain("secret");
    expect(JSON.parse(api.db.secrets.decrypt(rows[0].sealed))).toMatchObject({
      authorization: `Basic ${btoa("me:secret")}`,
    });
  });
});

describe("AssemblyAI", () => {
  const PATH = "/assemblyai/v2/transcript";
  const of = (json: object): CallInit => ({ json: { audio_url: "https://example.com/a.wav", ...json } });

  test.each<[string, string, CallInit, number]>([
    ["a wrong key", PATH, { ...of({}), key: WRONG_KEY }, 401],
    ["no source", PATH, { json: {} }, 400],
    ["an address inside", PATH, of({ audio_url: URL_INSIDE }), 400],
    ["an unknown model", PATH, of({ speech_model: "no-such" }), 400],
    ["a language that is none", PATH, of({ language_code: "klingonese" }), 400],
    [
      "a header's name that is none",
      PATH,
      of({ webhook_url: "https://example.com", webhook_auth_header_name: "a b" }),
      400,
    ],
    ...["Host", "content-length", "Transfer-Encoding", "webhook-signature", "X-Webhook-Signature"].map(
      (name): [string, string, CallInit, number] => [
        `the header ${name}`,
        PATH,
        of({ webhook_url: "https://example.com", webhook_auth_header_name: name, webhook_auth_header_value: "x" }),
        400,
      ],
    ),
    [
      "a header of two lines",
      PATH,
      of({
        webhook_url: "https://example.com",
        webhook_auth_header_name: "x",
        webhook_auth_header_value: "a\r\nhost: b",
      }),
      400,
    ],
    [
      "an upload that was never made",
      PATH,
      of({ audio_url: `http://x/assemblyai/v2/upload/${crypto.randomUUID()}` }),
      404,
    ],
    ["an upload that is no audio", "/assemblyai/v2/upload", noAudio, 400],
    ["an id of another form", `${PATH}/5551722-f677-48a6-9287-39c0aafd9ac1`, {}, 404],
    ["a status that is none", `${PATH}?status=done`, {}, 400],
  ])("%s", async (_name, path, init, status) => {
    const { body, ...answer } = await refused(path, init);
    expect(answer.status).toBe(status);
    expect(body).toEqual({ error: expect.stringMatching(/.{10}/) });
  });

  test("parts of what is not there yet", async () => {
    const { id } = (await (await api.call(PATH, of({}))).json()) as { id: string };
    for (const part of ["sentences", "paragraphs", "srt", "vtt", "word-search?words=a"]) {
      expect(await refused(`${PATH}/${id}/${part}`, {})).toMatchObject({ status: 400 });
    }
  });

  test("what is not carried out is named", async () => {
    const response = await api.call(
      PATH,
      of({ auto_chapters: true, sentiment_analysis: false, punctuate: true, hello: 1 }),
    );
    expect(response.headers.get("x-ignored-fields")).toBe("auto_chapters, hello");
    expect(await response.json()).toMatchObject({ status: "queued", text: null });
  });
});

describe("RunPod", () => {
  const RUN = "/runpod/v2/whisper/run";
  const url = "https://example.com/a.wav";

  test.each<[string, string, CallInit, number]>([
    ["a wrong key", RUN, { json: { input: { url } }, key: WRONG_KEY }, 401],
    ["no input", RUN, { json: {} }, 400],
    ["no source", RUN, { json: { input: { transcribe_args: { language: "en" } } } }, 400],
    ["a blob and a URL", RUN, { json: { input: { url, blob: "UklGRg==" } } }, 400],
    ["a blob that is no base64", RUN, { json: { input: { blob: "?!" } } }, 400],
    ["a blob that is no audio", RUN, { json: { input: { type: "blob", data: btoa("words, not sounds") } } }, 400],
    ["an address inside", RUN, { json: { input: { url: URL_INSIDE } } }, 400],
    ["an endpoint with NUL in its name", "/runpod/v2/%00/run", { json: { input: { url } } }, 404],
    ["a list of two inputs", RUN, { json: { input: [{ url }, { url }] } }, 400],
    ["an unknown model", RUN, { json: { input: { url, model: "no-such" } } }, 400],
    ["an id of another form", "/runpod/v2/whisper/status/e4f-u1", {}, 404],
    ["a stream of nothing", `/runpod/v2/whisper/stream/${crypto.randomUUID()}`, {}, 404],
  ])("%s", async (_name, path, init, status) => {
    const { body, ...answer } = await refused(path, init);
    expect(answer.status).toBe(status);
    expect(body).toEqual({ error: expect.stringMatching(/.{5}/) });
  });

  test.each([
    ["spaces", " ".repeat(400_000)],
    ["letters and spaces", "A ".repeat(200_000)],
    ["signs of equality", "=".repeat(400_000)],
  ])("a blob of %s that ends wrong is refused in time", async (_name, text) => {
    const startedAt = performance.now();
    expect(await refused(RUN, { json: { input: { blob: `${text}!` } } })).toMatchObject({ status: 400 });
    // A pattern that tries every end anew would take minutes.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test("a wait that is too short for the job gives the job as it is", async () => {
    const run = await api.call("/runpod/v2/whisper/runsync?wait=1", { json: { input: { type: "url", url } } });
    const job = (await run.json()) as { id: string; status: string };
    expect([run.status, job.status]).toEqual([200, "IN_QUEUE"]);
    const waited = await api.call(`/runpod/v2/whisper/status-sync/${job.id}?wait=1`);
    expect(await waited.json()).toMatchObject({ id: job.id, status: "IN_QUEUE" });
  });

  test("a purge stops what waits; what is not carried out is named", async () => {
    const run = await api.call(RUN, { json: { input: { url, vad: true }, policy: { ttl: 5, lowPriority: true } } });
    expect(run.headers.get("x-ignored-fields")).toBe("policy.ttl, input.vad");
    const deep = { transcribe_args: { url, beam_size: 5, output_options: { word_timestamps: false, colour: true } } };
    const inside = await api.call(RUN, { json: { input: deep } });
    expect(inside.headers.get("x-ignored-fields")).toBe(
      "input.transcribe_args.beam_size, input.transcribe_args.output_options.colour",
    );
    const { id } = (await run.json()) as { id: string };
    const purge = await api.call("/runpod/v2/whisper/purge-queue", { method: "POST" });
    expect(((await purge.json()) as { removed: number }).removed).toBeGreaterThan(0);
    const status = await api.call(`/runpod/v2/whisper/status/${id}`);
    expect(await status.json()).toMatchObject({ status: "CANCELLED" });
  });
});
