import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { BlobStore } from "@scribe/storage";
import { takeOverUpload } from "../src/take-over-upload.ts";
import { expectProblem } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";
import { BACKENDS, type Backend } from "./storage-backends.ts";
import { wav } from "./uploads.ts";

interface Presigned {
  upload_id: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  expires_at: string;
}

/** As long, as valid, and other sound. */
const swapped = Buffer.from(wav.map((byte, at) => (at < 100 ? byte : byte ^ 1)));

describe.each(Object.keys(BACKENDS))("files on %s", (name) => {
  let backend: Backend;
  let api: TestApi;

  beforeAll(async () => {
    backend = await BACKENDS[name]!();
    Object.assign(process.env, backend.processEnv);
    api = await startTestApi({ ...backend.env, MAX_UPLOAD_BYTES: String(2 ** 50) });
  }, 60_000);
  afterAll(async () => {
    await api.stop();
    await backend.store.close();
    await backend.stop();
    for (const name of Object.keys(backend.processEnv)) delete process.env[name];
  });

  const presign = async (json: object = {}): Promise<Presigned> => {
    const given = { filename: "talk.wav", size: wav.length, content_type: "audio/wav", ...json };
    const response = await api.call("/api/v1/files/presign", { json: given });
    expect(response.status).toBe(200);
    return (await response.json()) as Presigned;
  };
  const send = (to: Presigned, body: Uint8Array = wav, headers = to.headers) => {
    const { "content-length": _, ...rest } = headers;
    return fetch(to.url, { method: to.method, body: body as Uint8Array<ArrayBuffer>, headers: rest });
  };
  const complete = (id: string) => api.call("/api/v1/files/complete", { json: { upload_id: id } });
  const submit = (id: string) => api.call("/api/v1/transcribe", { json: { upload_id: id } });
  const audioOf = async (jobId: string) => {
    const { rows } = await api.db.pool.query("SELECT audio_key, audio_bytes FROM jobs WHERE id = $1", [jobId]);
    return await buffer(await backend.store.get(rows[0].audio_key));
  };

  test("bytes that a client sent past the API become a source for jobs, for a day", async () => {
    const to = await presign();
    expect(Date.parse(to.expires_at) - Date.now()).toBeGreaterThan(890_000);
    expect(Date.parse(to.expires_at) - Date.now()).toBeLessThan(901_000);
    await expectProblem(await submit(to.upload_id), 404, "not_found");
    await expectProblem(await complete(to.upload_id), 409, "conflict");
    expect((await send(to)).ok).toBe(true);
    await expectProblem(await submit(to.upload_id), 404, "not_found");
    const done = await complete(to.upload_id);
    expect(done.status).toBe(200);
    const upload = (await done.json()) as { expires_at: string };
    expect(upload).toMatchObject({ upload_id: to.upload_id, filename: "talk.wav", size: wav.length });
    expect(Date.parse(upload.expires_at) - Date.now()).toBeGreaterThan(86_390_000);
    const again = await complete(to.upload_id);
    expect([again.status, await again.json()]).toEqual([200, upload]);
    const job = await submit(to.upload_id);
    expect(job.status).toBe(202);
    expect(await audioOf(((await job.json()) as { job_id: string }).job_id)).toEqual(Buffer.from(wav));
  });

  test("their hash is known where they passed through here, and else taken from nobody", async () => {
    const to = await presign();
    await send(to);
    expect((await complete(to.upload_id)).status).toBe(200);
    const { rows } = await api.db.pool.query("SELECT sha256 FROM uploads WHERE id = $1", [to.upload_id]);
    const sha256 = createHash("sha256").update(wav).digest("hex");
    expect(rows).toEqual([{ sha256: backend.store.backend === "local" ? sha256 : null }]);
  });

  test("as many bytes as one PUT takes have an address, and more are told of the other ways", async () => {
    const { maxSignedBytes } = backend.store;
    const most = Math.min(maxSignedBytes, 2 ** 50);
    expect(await presign({ size: most })).toMatchObject({ method: "PUT" });
    const json = { filename: "talk.wav", size: most + 1 };
    const problem = await expectProblem(await api.call("/api/v1/files/presign", { json }), 413, "payload_too_large");
    if (maxSignedBytes < 2 ** 50) {
      expect(problem.detail).toContain("/api/v1/files/tus");
      expect(problem.detail).toContain("POST /api/v1/transcribe/upload");
    }
  });

  test("what is sent after the completion changes nothing that a job reads", async () => {
    const to = await presign();
    await send(to);
    await complete(to.upload_id);
    const { job_id: id } = (await (await submit(to.upload_id)).json()) as { job_id: string };
    await send(to, swapped);
    await complete(to.upload_id);
    expect(await audioOf(id)).toEqual(Buffer.from(wav));
    const { job_id: later } = (await (await submit(to.upload_id)).json()) as { job_id: string };
    expect(await audioOf(later)).toEqual(Buffer.from(wav));
  });

  test("another number of bytes than was announced is refused", async () => {
    const to = await presign();
    expect((await send(to, wav.subarray(1))).ok).toBe(false);
    expect((await send(to, Buffer.concat([wav, Buffer.alloc(1)]))).ok).toBe(false);
    await expectProblem(await complete(to.upload_id), 409, "conflict");
    expect((await send(to)).ok).toBe(true);
    expect((await complete(to.upload_id)).status).toBe(200);
  });

  test("what is no audio is discarded", async () => {
    const to = await presign({ size: 2000 });
    await send(to, Buffer.alloc(2000, "no audio "));
    await expectProblem(await complete(to.upload_id), 415, "unsupported_media");
    await expectProblem(await complete(to.upload_id), 404, "not_found");
    expect(await backend.store.stat(`uploads/${to.upload_id}`)).toBeNull();
  });

  test("many that complete at once take one copy over, and are all told of it", async () => {
    const to = await presign();
    await send(to);
    const before = (await backend.store.usage()).objects;
    const answers = await Promise.all(Array.from({ length: 8 }, () => complete(to.upload_id)));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    // The copy, in place of what was sent.
    expect((await backend.store.usage()).objects).toBe(before);
  });

  test("another tenant's upload is none", async () => {
    const to = await presign();
    await send(to);
    const { key } = await api.makeKey(["transcribe"], { tenant: "other" });
    const json = { upload_id: to.upload_id };
    await expectProblem(await api.call("/api/v1/files/complete", { json, key }), 404, "not_found");
    expect((await complete(to.upload_id)).status).toBe(200);
    await expectProblem(await api.call("/api/v1/transcribe", { json, key }), 404, "not_found");
  });

  test("what was changed while it was looked at is not taken over", async () => {
    const { store } = backend;
    const upload = { tenantId: "t", storageKey: "uploads/t/x/incoming", sizeBytes: wav.length };
    const takeOver = (through: Partial<BlobStore>) =>
      takeOverUpload({ ...store, ...through }, upload, new AbortController().signal);
    const put = (bytes: Uint8Array) => store.put(upload.storageKey, Readable.from([Buffer.from(bytes)]));
    await put(wav);
    const changedBeforeTheLook: Partial<BlobStore> = {
      async stat(key) {
        const seen = await store.stat(key);
        await put(swapped);
        return seen;
      },
    };
    await expect(takeOver(changedBeforeTheLook)).rejects.toMatchObject({ code: "conflict" });
    await put(wav);
    const changedAfterTheLook: Partial<BlobStore> = {
      async get(key, options) {
        const head = await buffer(await store.get(key, options));
        await put(swapped);
        return Readable.from([head]);
      },
    };
    await expect(takeOver(changedAfterTheLook)).rejects.toMatchObject({ code: "conflict" });
    const removedAfterTheLook: Partial<BlobStore> = {
      async get(key, options) {
        const head = await buffer(await store.get(key, options));
        await store.remove(key);
        return Readable.from([head]);
      },
    };
    await expect(takeOver(removedAfterTheLook)).rejects.toMatchObject({ code: "conflict" });
    await put(wav);
    const { key } = await takeOver({});
    expect(await buffer(await store.get(key))).toEqual(Buffer.from(wav));
  });
});

describe("files on this API's own addresses", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi();
  }, 60_000);
  afterAll(() => api.stop());

  const presign = async () => {
    const json = { filename: "talk.wav", size: wav.length };
    return (await (await api.call("/api/v1/files/presign", { json })).json()) as Presigned;
  };

  test("the address works once, without a key, and for its own upload alone", async () => {
    const [to, other] = [await presign(), await presign()];
    const put = (url: string, init = {}) => fetch(url, { method: "PUT", body: wav, ...init });
    await expectProblem(await put(to.url.replace(to.upload_id, other.upload_id)), 403, "forbidden");
    await expectProblem(await put(to.url.replace(/expires=\d+/, "expires=9999999999")), 403, "forbidden");
    await expectProblem(await put(to.url.split("?")[0]!), 401, "unauthorized");
    expect((await put(to.url)).status).toBe(204);
    await expectProblem(await put(to.url), 409, "conflict");
  });

  test("a key of the same tenant opens it too, and no other", async () => {
    const to = await presign();
    const path = `/api/v1/files/upload/${to.upload_id}`;
    const { key: reader } = await api.makeKey(["read"]);
    await expectProblem(await api.call(path, { method: "PUT", body: wav, key: reader }), 403, "forbidden");
    const { key: stranger } = await api.makeKey(["transcribe"], { tenant: "stranger" });
    await expectProblem(await api.call(path, { method: "PUT", body: wav, key: stranger }), 404, "not_found");
    expect((await api.call(path, { method: "PUT", body: wav })).status).toBe(204);
  });

  test("the bytes of an upload come by the protocol that it was begun with, and no other", async () => {
    const put = (path: string) => api.call(path, { method: "PUT", body: wav });
    const headers = { "Tus-Resumable": "1.0.0", "Upload-Length": String(wav.length) };
    const begun = await api.call("/api/v1/files/tus", { method: "POST", headers });
    const tus = begun.headers.get("location")?.split("/").at(-1);
    const saas = await api.call("/compat/saas/files/presign", { json: { filename: "a.wav" } });
    const { key } = (await saas.json()) as { key: string };
    for (const id of [tus, key]) await expectProblem(await put(`/api/v1/files/upload/${id}`), 404, "not_found");
    const empty = await api.call(`/api/v1/files/upload/${key}`, { method: "PUT", headers: { "Content-Length": "0" } });
    await expectProblem(empty, 404, "not_found");
    for (const id of [tus, (await presign()).upload_id])
      expect((await put(`/compat/saas/files/upload/${id}`)).status).toBe(404);
    expect((await put(`/compat/saas/files/upload/${key}`)).status).toBe(200);
  });

  test("an address whose time is over is refused", async () => {
    const to = await presign();
    const late = to.url.replace(/expires=\d+/, "expires=1");
    await expectProblem(await fetch(late, { method: "PUT", body: wav }), 403, "forbidden");
  });

  test("a body without a length, and one that ends early, leave nothing", async () => {
    const to = await presign();
    const body = Readable.toWeb(Readable.from([wav])) as ReadableStream;
    const chunked = await fetch(to.url, { method: "PUT", body, duplex: "half" } as RequestInit);
    await expectProblem(chunked, 411, "invalid_request");
    const abort = new AbortController();
    const slow = Readable.from(
      (async function* () {
        yield wav.subarray(0, 100);
        abort.abort();
      })(),
    );
    const cut = fetch(to.url, {
      ...{ method: "PUT", body: Readable.toWeb(slow) as ReadableStream, duplex: "half", signal: abort.signal },
    } as RequestInit);
    await expect(cut).rejects.toThrow();
    expect((await fetch(to.url, { method: "PUT", body: wav })).status).toBe(204);
  });

  test("wrong input is told by its field", async () => {
    const post = (json: object) => api.call("/api/v1/files/presign", { json });
    const good = { filename: "a.wav", size: 5 };
    await expectProblem(await post({ ...good, size: 0 }), 400, "invalid_request");
    await expectProblem(await post({ ...good, size: 1.5 }), 400, "invalid_request");
    await expectProblem(await post({ ...good, size: 2 ** 31 + 1 }), 413, "payload_too_large");
    await expectProblem(await post({ ...good, content_type: "no type\r\nx: y" }), 400, "invalid_request");
    await expectProblem(await post({ ...good, filename: "" }), 400, "invalid_request");
    await expectProblem(await post({ ...good, key: "mine" }), 400, "invalid_request");
    await expectProblem(await api.call("/api/v1/files/complete", { json: { upload_id: "x" } }), 404, "not_found");
    const { key } = await api.makeKey(["read"]);
    await expectProblem(await api.call("/api/v1/files/presign", { json: good, key }), 403, "forbidden");
  });
});
