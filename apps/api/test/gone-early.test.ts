import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, test } from "@jest/globals";
import { waitFor } from "@scribe/testing";
import { finish, segment } from "./drive-jobs.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";
import { formBody, postForm, wavPart } from "./uploads.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({
    ...{ MAX_WAITING_PER_KEY: "1", MAX_UPLOADS_PER_KEY: "1", MAX_STREAMS_PER_KEY: "1", MAX_LARGE_BODIES_PER_KEY: "1" },
    ...{ UPLOAD_MIN_BYTES_PER_SECOND: "0", ENHANCED_AI_BASE_URL: "http://127.0.0.1:9/v1", ENHANCED_AI_MODEL: "m" },
  });
}, 60_000);
afterAll(() => api.stop());

const url = "https://example.com/a.wav";
const FORM = "multipart/form-data; boundary=----scribe-test-boundary";

async function idOf(path: string, json: object): Promise<string> {
  return ((await (await api.call(path, { json })).json()) as { job_id: string }).job_id;
}

/** Sends so much of a request. */
async function ask(request: string, headers: string[] = [], body: Uint8Array = new Uint8Array()): Promise<Socket> {
  const socket = connect(Number(new URL(api.url).port), "127.0.0.1").on("error", () => undefined);
  await once(socket, "connect");
  const head = [`${request} HTTP/1.1`, "Host: localhost", `Authorization: Bearer ${api.key}`, ...headers, "", ""];
  socket.write(head.join("\r\n"));
  socket.write(body);
  return socket;
}

/** All go away while the database still looks their key up: their handlers begin when nobody is there any more. */
async function goEarly(open: () => Promise<Socket>): Promise<void> {
  const lock = await api.db.pool.connect();
  try {
    await lock.query("BEGIN; LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE");
    const sockets = [await open(), await open()];
    await sleep(150);
    for (const socket of sockets) socket.destroy();
    await sleep(150);
    await lock.query("COMMIT");
  } finally {
    lock.release();
  }
}

const wait = (ms: number, answer: Promise<Response>) => Promise.race([answer.then(({ status }) => status), sleep(ms)]);

test("whoever went before a handler began holds no place among those who wait", async () => {
  const id = await idOf("/api/v1/transcribe", { url });
  const ended = await idOf("/api/v1/transcribe", { url });
  await finish(api.db, ended, [segment(0, "Done.")]);
  const note = await idOf("/api/v1/enhanced-ai", { text: "Hello.", tasks: ["summary"] });
  const part = formBody([wavPart], { closed: false }).subarray(0, 300);
  const asks: (() => Promise<Socket>)[] = [
    () => ask(`GET /runpod/v2/x/status-sync/${id}`),
    () => ask(`GET /runpod/v2/x/stream/${id}`),
    () => ask("POST /runpod/v2/x/runsync", ["Content-Length: 9000000"], Buffer.from("{")),
    () => ask("POST /deepgram/v1/listen", ["Content-Type: audio/wav", "Content-Length: 9000"], part),
    () => ask("POST /v1/audio/transcriptions", [`Content-Type: ${FORM}`, "Content-Length: 90000"], part),
    () => ask(`GET /api/v1/enhanced-ai/${note}/events`),
  ];
  for (const open of asks) {
    await goEarly(open);
    await waitFor(async () => (await api.call(`/runpod/v2/x/status-sync/${ended}`)).status === 200, {
      what: "a free place",
      timeoutMs: 5_000,
    });
  }
}, 60_000);

test("nor a stream of events", async () => {
  const id = await idOf("/api/v1/transcribe", { url });
  await goEarly(() => ask(`GET /api/v1/jobs/${id}/events`));
  const gone = new AbortController();
  await waitFor(async () => (await api.call(`/api/v1/jobs/${id}/events`, { signal: gone.signal })).status === 200, {
    what: "a free place",
    timeoutMs: 5_000,
  });
  gone.abort();
});

test("nor a place of an upload", async () => {
  const part = formBody([wavPart], { closed: false }).subarray(0, 300);
  const tus = await api.call("/api/v1/files/tus", {
    method: "POST",
    headers: { "Tus-Resumable": "1.0.0", "Upload-Length": "9000" },
  });
  const presign = await api.call("/api/v1/files/presign", { json: { filename: "a.wav", size: 9000 } });
  const { upload_id: upload } = (await presign.json()) as { upload_id: string };
  const bytes = ["Content-Type: application/offset+octet-stream", "Content-Length: 9000", "Upload-Offset: 0"];
  const asks: (() => Promise<Socket>)[] = [
    () => ask("POST /api/v1/transcribe/upload", [`Content-Type: ${FORM}`, "Content-Length: 90000"], part),
    () => ask("POST /assemblyai/v2/upload", ["Content-Length: 90000"], part),
    () => ask(`PATCH ${tus.headers.get("location")}`, ["Tus-Resumable: 1.0.0", ...bytes], part),
    () => ask(`PUT /api/v1/files/upload/${upload}`, ["Content-Length: 9000"], part),
  ];
  for (const open of asks) {
    await goEarly(open);
    await waitFor(async () => (await wait(1_000, postForm(api, [wavPart]))) === 202, {
      what: "a free place",
      timeoutMs: 5_000,
    });
  }
}, 60_000);

test("nor one of a large body", async () => {
  await goEarly(() => ask("POST /api/v1/batches", ["Content-Type: application/json", "Content-Length: 9000000"]));
  const big = { items: [{ url }], metadata: {} };
  const body = JSON.stringify(big).padEnd(2_000_000, " ");
  const headers = { "Content-Type": "application/json" };
  await waitFor(async () => (await api.call("/api/v1/batches", { method: "POST", body, headers })).status === 202, {
    what: "a free place",
    timeoutMs: 5_000,
  });
});
