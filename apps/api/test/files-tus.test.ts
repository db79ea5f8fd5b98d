import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readConfig } from "@scribe/config";
import { createLogger } from "@scribe/telemetry";
import { makeWav, tone, waitFor } from "@scribe/testing";
import { Upload } from "tus-js-client";
import { type RunningApi, startApi } from "../src/start-api.ts";
import { expectProblem } from "./expect-problem.ts";
import { ENCRYPTION_KEY, startTestApi, type TestApi } from "./start-test-api.ts";
import { BACKENDS, type Backend } from "./storage-backends.ts";

const PATH = "/api/v1/files/tus";
const wav = Buffer.from(makeWav({ seconds: 4, signal: tone(440) }));
const TUS = { "Tus-Resumable": "1.0.0" };
const BYTES = { ...TUS, "Content-Type": "application/offset+octet-stream" };

let api: TestApi;
let second: RunningApi | undefined;
beforeAll(async () => {
  api = await startTestApi();
}, 60_000);
afterAll(async () => {
  await second?.stop(1);
  await api.stop();
});

const begin = async (bytes: number, headers: Record<string, string> = {}) => {
  const response = await api.call(PATH, {
    method: "POST",
    headers: { ...TUS, "Upload-Length": String(bytes), ...headers },
  });
  return { response, location: response.headers.get("location") ?? "" };
};
const send = (location: string, offset: number, body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  api.call(location, { method: "PATCH", headers: { ...BYTES, "Upload-Offset": String(offset), ...headers }, body });
const offsetOf = async (location: string) => {
  const response = await api.call(location, { method: "HEAD", headers: TUS });
  return { status: response.status, offset: Number(response.headers.get("upload-offset")) };
};
const transcribe = (upload_id: string) => api.call("/api/v1/transcribe", { json: { upload_id } });

/** Another replica on the same database and storage. */
async function startReplica(port: string): Promise<RunningApi> {
  const { config } = readConfig({
    ...{
      PORT: port,
      METRICS_PORT: "0",
      HOST: "127.0.0.1",
      DATABASE_URL: api.databaseUrl,
      SCRIBE_DATA_DIR: api.dataDir,
    },
    SCRIBE_ENCRYPTION_KEY: ENCRYPTION_KEY.toString("base64"),
  });
  const log = createLogger({ level: "fatal", format: "json", name: "api", destination: { write: () => undefined } });
  return await startApi({ config, log });
}

test("tus-js-client pauses, the API restarts, it resumes; the upload is a job's source", async () => {
  second = await startReplica("0");
  const { port } = new URL(second.url);
  const headers = { Authorization: `Bearer ${api.key}` };
  const upload = await new Promise<Upload>((resolve, reject) => {
    let paused = false;
    const first = new Upload(wav, {
      ...{ endpoint: `${second?.url}${PATH}`, headers, chunkSize: 16 * 1024, retryDelays: [] },
      metadata: { filename: "speech.wav", filetype: "audio/wav" },
      onError: reject,
      onSuccess: () => reject(new Error("It was not paused.")),
      onChunkComplete: () => {
        if (paused) return;
        paused = true;
        first.abort().then(() => resolve(first), reject);
      },
    });
    first.start();
  });
  await second.stop(1);
  second = await startReplica(port);
  const at = await offsetOf(new URL(upload.url ?? "").pathname);
  expect(at.offset).toBeGreaterThanOrEqual(16 * 1024);
  expect(at.offset).toBeLessThan(wav.length);
  const sent: number[] = [];
  await new Promise<void>((resolve, reject) => {
    new Upload(wav, {
      ...{ endpoint: `${second?.url}${PATH}`, uploadUrl: upload.url ?? "", headers, chunkSize: 16 * 1024 },
      onError: reject,
      onSuccess: () => resolve(),
      onChunkComplete: (_size, accepted) => sent.push(accepted),
    }).start();
  });
  expect(sent[0]).toBe(at.offset + 16 * 1024);
  const upload_id = (upload.url ?? "").split("/").at(-1) ?? "";
  const response = await transcribe(upload_id);
  expect(response.status).toBe(202);
  const { rows } = await api.db.pool.query("SELECT filename, content_type, storage_key FROM uploads WHERE id = $1", [
    upload_id,
  ]);
  expect(rows).toMatchObject([{ filename: "speech.wav", content_type: "audio/wav" }]);
  expect((await api.storedFiles()).filter((name) => name.includes(upload_id))).toEqual([]);
}, 60_000);

describe("an upload", () => {
  test("says what of the protocol there is", async () => {
    const response = await api.call(PATH, { method: "OPTIONS", key: null });
    expect([response.status, response.headers.get("tus-version")]).toEqual([204, "1.0.0"]);
    expect(response.headers.get("tus-extension")).toBe("creation,creation-with-upload,termination,expiration");
    expect(response.headers.get("tus-max-size")).toBe("2147483648");
  });

  test("begins at a relative location, and ends with its last byte, over several requests", async () => {
    const { response, location } = await begin(wav.length);
    expect(response.status).toBe(201);
    expect(location).toMatch(/^\/api\/v1\/files\/tus\/[0-9a-f-]{36}$/);
    expect(response.headers.get("upload-expires")).not.toBeNull();
    expect(await offsetOf(location)).toEqual({ status: 200, offset: 0 });
    expect((await transcribe(location.split("/").at(-1) ?? "")).status).toBe(404);
    const part = await send(location, 0, wav.subarray(0, 1000));
    expect([part.status, part.headers.get("upload-offset")]).toEqual([204, "1000"]);
    expect((await send(location, 1000, wav.subarray(1000))).status).toBe(204);
    expect(await offsetOf(location)).toEqual({ status: 200, offset: wav.length });
    expect((await transcribe(location.split("/").at(-1) ?? "")).status).toBe(202);
  });

  test("of two writers at one offset one wins, the other is told", async () => {
    const { location } = await begin(wav.length);
    const statuses = (await Promise.all([1, 2].map(() => send(location, 0, wav)))).map(({ status }) => status).sort();
    expect(statuses[0]).toBe(204);
    expect([409, 423]).toContain(statuses[1]);
    expect(await offsetOf(location)).toEqual({ status: 200, offset: wav.length });
  });

  test("at another offset than it stands is 409", async () => {
    const { location } = await begin(wav.length);
    await expectProblem(await send(location, 5, wav.subarray(5)), 409, "conflict");
  });

  test.each(["breaks", "stands still"])(
    "keeps what came on a connection that %s, and goes on from there",
    async (what) => {
      const { location } = await begin(wav.length);
      const stop = new AbortController();
      const source = Readable.from(
        (async function* () {
          yield wav.subarray(0, 2000);
          await new Promise(() => undefined);
        })(),
      );
      const cut = api
        .call(location, {
          ...{ method: "PATCH", headers: { ...BYTES, "Upload-Offset": "0" }, duplex: "half", signal: stop.signal },
          body: Readable.toWeb(source) as ReadableStream,
        })
        .then(
          (response) => response.headers.get("upload-offset"),
          () => "broken",
        );
      const held = async () => (await api.db.pool.query("SELECT 1 FROM upload_locks")).rowCount === 1;
      await waitFor(held, { what: "the writer" });
      if (what === "breaks") {
        await sleep(200);
        stop.abort();
      }
      // Whoever asks where it stands takes it over from a connection that stands still.
      await waitFor(async () => (await offsetOf(location)).offset === 2000, { what: "what has come" });
      expect(await cut).toBe(what === "breaks" ? "broken" : "2000");
      expect((await send(location, 2000, wav.subarray(2000))).status).toBe(204);
      expect((await transcribe(location.split("/").at(-1) ?? "")).status).toBe(202);
    },
  );

  test("that is no audio is 415 with its last byte, and nothing stays", async () => {
    const { location } = await begin(4000);
    await expectProblem(await send(location, 0, Buffer.alloc(4000, "x")), 415, "unsupported_media");
    expect((await offsetOf(location)).status).toBe(404);
    expect((await api.storedFiles()).filter((name) => name.includes(location.split("/").at(-1) ?? "-"))).toEqual([]);
  });

  test("is given up, and is gone", async () => {
    const { location } = await begin(wav.length);
    await send(location, 0, wav.subarray(0, 1000));
    expect((await api.call(location, { method: "DELETE", headers: TUS })).status).toBe(204);
    expect((await offsetOf(location)).status).toBe(404);
    expect((await send(location, 1000, wav.subarray(1000))).status).toBe(404);
  });

  test.each<[string, Record<string, string>, number]>([
    ["no length", { "Upload-Length": "" }, 400],
    ["no bytes", { "Upload-Length": "0" }, 400],
    ["a negative length", { "Upload-Length": "-1" }, 400],
    ["more than is allowed", { "Upload-Length": "99999999999" }, 413],
    ["another version", { "Tus-Resumable": "0.2.0" }, 412],
    ["an Idempotency-Key, which the protocol has no use for", { "Idempotency-Key": "k" }, 400],
    ["metadata that is none", { "Upload-Metadata": "a b c,," }, 400],
  ])("with %s is refused", async (_what, headers, status) => {
    const { response } = await begin(100, headers);
    expect(response.status).toBe(status);
  });

  test("with more bytes than it said is 413, and needs a key", async () => {
    const { location } = await begin(100);
    expect((await send(location, 0, wav.subarray(0, 200))).status).toBe(413);
    await expectProblem(await api.call(location, { method: "DELETE", headers: TUS, key: null }), 401, "unauthorized");
    await expectProblem(await api.call(location, { headers: TUS }), 405, "invalid_request");
  });
});

describe.each(Object.keys(BACKENDS).filter((name) => name !== "local"))("resumable uploads on %s", (name) => {
  let backend: Backend;
  let cloud: TestApi;

  beforeAll(async () => {
    backend = await BACKENDS[name]!();
    Object.assign(process.env, backend.processEnv);
    cloud = await startTestApi(backend.env);
  }, 60_000);
  afterAll(async () => {
    await cloud.stop();
    await backend.store.close();
    await backend.stop();
    for (const name of Object.keys(backend.processEnv)) delete process.env[name];
  });

  test("come in parts, become one object that no part is left of, and are a job's source", async () => {
    const made = await cloud.call(PATH, { method: "POST", headers: { ...TUS, "Upload-Length": String(wav.length) } });
    const location = made.headers.get("location") ?? "";
    for (const [from, to] of [
      [0, 10_000],
      [10_000, 20_000],
      [20_000, wav.length],
    ] as const) {
      const at = await cloud.call(location, { method: "HEAD", headers: TUS });
      expect(at.headers.get("upload-offset")).toBe(String(from));
      const headers = { ...BYTES, "Upload-Offset": String(from) };
      const sent = await cloud.call(location, { method: "PATCH", headers, body: wav.subarray(from, to) });
      expect([sent.status, sent.headers.get("upload-offset")]).toEqual([204, String(to)]);
    }
    const upload_id = location.split("/").at(-1) ?? "";
    expect((await cloud.call("/api/v1/transcribe", { json: { upload_id } })).status).toBe(202);
    const { rows } = await cloud.db.pool.query("SELECT storage_key FROM uploads WHERE id = $1", [upload_id]);
    expect(await buffer(await backend.store.get(rows[0].storage_key))).toEqual(wav);
    for await (const { key } of backend.store.list("uploads/")) throw new Error(`${key} is left`);
  });

  test("of two writers at one offset one wins", async () => {
    const made = await cloud.call(PATH, { method: "POST", headers: { ...TUS, "Upload-Length": String(wav.length) } });
    const location = made.headers.get("location") ?? "";
    const headers = { ...BYTES, "Upload-Offset": "0" };
    const both = await Promise.all([1, 2].map(() => cloud.call(location, { method: "PATCH", headers, body: wav })));
    const statuses = both.map(({ status }) => status).sort();
    expect(statuses[0]).toBe(204);
    expect([409, 423]).toContain(statuses[1]);
  });
});
