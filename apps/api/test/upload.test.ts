import { createHash } from "node:crypto";
import { readFile, rename, symlink, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { tenantJobs } from "@scribe/database";
import { RequestError, uuidV7 } from "@scribe/domain";
import { waitFor } from "@scribe/testing";
import { acceptedSchema } from "../src/http/accepted-view.ts";
import { submitAudio } from "../src/http/submit-job.ts";
import { expectProblem, paths } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";
import { beginUpload, formBody, postForm, wav, wavPart } from "./uploads.ts";

const MAX_BYTES = 200_000;

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ MAX_UPLOAD_BYTES: String(MAX_BYTES), UPLOAD_IDLE_SECONDS: "2" }, { idempotencyMs: 1_500 });
}, 60_000);
afterAll(() => api.stop());

let before: string[];
beforeEach(async () => {
  before = await api.storedFiles();
});
const newFiles = async () => (await api.storedFiles()).filter((name) => !before.includes(name));

describe("a file that is uploaded", () => {
  test("becomes a job whose audio is those very bytes", async () => {
    const response = await postForm(api, [
      { name: "language", value: "en" },
      { name: "word_timestamps", value: "false" },
      { name: "metadata", value: '{"order": 7}' },
      wavPart,
      { name: "recording_id", value: "rec-1" },
    ]);
    expect(response.status).toBe(202);
    const accepted = acceptedSchema.strict().parse(await response.json());
    expect(response.headers.get("location")).toBe(`/api/v1/jobs/${accepted.job_id}`);

    const { rows } = await api.db.pool.query("SELECT * FROM jobs WHERE id = $1", [accepted.job_id]);
    expect(rows[0]).toMatchObject({
      ...{ status: "pending", recording_id: "rec-1", metadata: { order: 7 }, language: "en" },
      ...{ options: { language: "en", word_timestamps: false }, audio_bytes: String(wav.length) },
      ...{ audio_sha256: createHash("sha256").update(wav).digest("hex"), audio_seconds: wav.length / 16_000 },
    });
    const [stored] = await newFiles();
    expect(stored).toBe(rows[0].audio_key);
    expect(await readFile(`${api.dataDir}/audio/${stored}`)).toEqual(Buffer.from(wav));
  });

  test("asks for lexicons and accounts with providers only where it names them", async () => {
    const lock = await api.db.pool.connect();
    try {
      await lock.query("BEGIN; LOCK TABLE lexicons, provider_settings IN ACCESS EXCLUSIVE MODE");
      expect((await postForm(api, [{ name: "language", value: "en" }, wavPart])).status).toBe(202);
      const naming = postForm(api, [{ name: "lexicon", value: "names" }, wavPart]);
      expect(await Promise.race([naming, sleep(300, "waits")])).toBe("waits");
      await lock.query("COMMIT");
      await expectProblem(await naming, 400, "invalid_request");
    } finally {
      lock.release();
    }
  });

  test("of exactly the limit is taken", async () => {
    const value = Buffer.concat([wav, Buffer.alloc(MAX_BYTES - wav.length)]);
    expect((await postForm(api, [{ ...wavPart, value }])).status).toBe(202);
  });
});

describe("a form that is wrong is refused, and nothing of it is kept", () => {
  const cases: [string, Parameters<typeof postForm>[1], string][] = [
    ["no file", [{ name: "language", value: "en" }], "file"],
    ["an empty file", [{ ...wavPart, value: "" }], "file"],
    ["a file under another name", [{ ...wavPart, name: "audio" }], "audio"],
    ["the file as a field", [{ name: "file", value: "hello" }], "file"],
    ["two files", [wavPart, wavPart], "file"],
    ["an unknown field", [{ name: "colour", value: "red" }, wavPart], "colour"],
    ["an unknown field after the file", [wavPart, { name: "colour", value: "red" }], "colour"],
    ["machinery", [{ name: "__proto__", value: "{}" }, wavPart], "__proto__"],
    ["a source that is for JSON", [{ name: "url", value: "https://example.com/a.wav" }, wavPart], "url"],
    ["a field of the wrong type", [{ name: "temperature", value: "warm" }, wavPart], "temperature"],
    ["a boolean that is none", [{ name: "word_timestamps", value: "yes" }, wavPart], "word_timestamps"],
    [
      "a field given twice",
      [{ name: "language", value: "en" }, { name: "language", value: "de" }, wavPart],
      "language",
    ],
    ["NUL in a field", [{ name: "prompt", value: "a\u0000b" }, wavPart], "prompt"],
    ["a field without end", [{ name: "prompt", value: "x".repeat(70_000) }, wavPart], "prompt"],
    ["a name without end", [{ name: "x".repeat(5000), value: "1" }, wavPart], "x".repeat(64)],
    ["a lexicon that is not there", [{ name: "lexicon", value: "names" }, wavPart], "lexicon"],
    ["no webhook secret", [{ name: "webhook_secret", value: "hunter2" }, wavPart], "webhook_secret"],
  ];
  test.each(cases)("%s", async (_what, parts, path) => {
    const problem = await expectProblem(await postForm(api, parts), 400, "invalid_request");
    expect(paths(problem)).toEqual([path]);
    expect(await newFiles()).toEqual([]);
  });

  test("a model that is not offered", async () => {
    await expectProblem(await postForm(api, [{ name: "model", value: "huge" }, wavPart]), 400, "unknown_model");
  });

  test("too many fields", async () => {
    const parts = Array.from({ length: 80 }, (_, i) => ({ name: `f${i}`, value: "1" }));
    await expectProblem(await postForm(api, [...parts, wavPart]), 400, "invalid_request");
    expect(await newFiles()).toEqual([]);
  });

  test.each([
    ["text", Buffer.from("This is a letter, not a recording. ".repeat(400))],
    ["a page", Buffer.from("<!doctype html><html></html>")],
    ["a program", Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]), Buffer.alloc(9000)])],
    ["one byte", Buffer.from("R")],
  ])("%s is 415, whatever it is called", async (_what, value) => {
    const problem = await expectProblem(await postForm(api, [{ ...wavPart, value }]), 415, "unsupported_media");
    expect(paths(problem)).toEqual(["file"]);
    expect(await newFiles()).toEqual([]);
  });

  test("a byte over the limit is 413", async () => {
    const value = Buffer.concat([wav, Buffer.alloc(MAX_BYTES - wav.length + 1)]);
    await expectProblem(await postForm(api, [{ ...wavPart, value }]), 413, "payload_too_large");
    expect(await newFiles()).toEqual([]);
  });

  test("a length over the limit is 413 before a byte is sent", async () => {
    const { answer, sending } = beginUpload(api, { "Content-Length": 50 * 1024 * 1024 });
    expect((await answer).status).toBe(413);
    sending.destroy();
  });

  test("a form that is cut off", async () => {
    await expectProblem(await postForm(api, [wavPart], { closed: false }), 400, "invalid_request");
    await expectProblem(
      await postForm(api, [{ name: "language", value: "en" }], { closed: false }),
      400,
      "invalid_request",
    );
    expect(await newFiles()).toEqual([]);
  });

  test("no form, or one without a boundary", async () => {
    const json = await api.call("/api/v1/transcribe/upload", { json: {} });
    await expectProblem(json, 415, "unsupported_media");
    const headers = { "Content-Type": "multipart/form-data" };
    const bare = await api.call("/api/v1/transcribe/upload", { method: "POST", body: "x", headers });
    await expectProblem(bare, 400, "invalid_request");
  });

  test("fields before the file are checked before its bytes are read", async () => {
    const start = formBody([{ name: "colour", value: "red" }, wavPart], { closed: false });
    const { answer, sending } = beginUpload(api);
    // Only the file's first bytes are sent: the answer cannot have waited for more.
    sending.write(start.subarray(0, start.length - wav.length + 10));
    const { status, body } = await answer;
    expect([status, JSON.parse(body).errors[0].path]).toEqual([400, "colour"]);
    sending.destroy();
  });

  test("UPLOAD_IDLE_SECONDS: a sender that pauses for less is waited for", async () => {
    const { sending, answer } = beginUpload(api);
    const body = formBody([wavPart]);
    for (let at = 0; at < body.length; at += 12_000) {
      sending.write(body.subarray(at, at + 12_000));
      await sleep(900);
    }
    sending.end();
    expect((await answer).status).toBe(202);
    before = await api.storedFiles();
  });

  test("UPLOAD_IDLE_SECONDS: a sender that falls silent is told so, and nothing is left", async () => {
    const { sending, answer } = beginUpload(api);
    sending.write(formBody([wavPart], { closed: false }).subarray(0, 20_000));
    const { status, body } = await answer;
    expect([status, JSON.parse(body).code]).toEqual([408, "invalid_request"]);
    sending.destroy();
    expect(await api.allFiles()).toHaveLength(before.length);
  });

  test("a sender that goes away in the middle leaves nothing", async () => {
    const { sending, answer } = beginUpload(api);
    sending.write(formBody([wavPart], { closed: false }).subarray(0, 20_000));
    await waitFor(async () => (await api.allFiles()).some((name) => name.includes(".put-")), {
      what: "a put under way",
    });
    sending.destroy();
    await answer.catch(() => undefined);
    await waitFor(async () => (await api.allFiles()).length === before.length, { what: "the put's remains to go" });
  });
});

describe("an upload with an Idempotency-Key", () => {
  const headers = { "Idempotency-Key": "upload-1" };

  test("is answered again for the same fields and file, and stored once", async () => {
    const parts = [{ name: "language", value: "en" }, wavPart];
    const first = await postForm(api, parts, { headers });
    const again = await postForm(api, parts, { headers });
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(first.headers.get("idempotency-replayed")).toBeNull();
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(await again.json()).toEqual(await first.json());
    expect(await newFiles()).toHaveLength(1);
  });

  test("is 422 for another file or other fields", async () => {
    const other = Buffer.from(wav);
    other[1000] ^= 1;
    const otherFile = await postForm(
      api,
      [
        { name: "language", value: "en" },
        { ...wavPart, value: other },
      ],
      { headers },
    );
    await expectProblem(otherFile, 422, "idempotency_mismatch");
    await expectProblem(await postForm(api, [wavPart], { headers }), 422, "idempotency_mismatch");
    expect(await newFiles()).toEqual([]);
  });

  test("waits while the first is under way, then gets its answer", async () => {
    const key = { "Idempotency-Key": "upload-2" };
    const body = formBody([wavPart]);
    const first = beginUpload(api, key);
    first.sending.write(body.subarray(0, 20_000));
    await waitFor(async () => (await api.allFiles()).some((name) => name.includes(".put-")), {
      what: "a put under way",
    });
    const second = postForm(api, [wavPart], { headers: key });
    await sleep(300);
    first.sending.end(body.subarray(20_000));
    const [one, two] = [await first.answer, await second];
    expect([one.status, two.status]).toEqual([202, 202]);
    expect(two.headers.get("idempotency-replayed")).toBe("true");
    expect(((await two.json()) as { job_id: string }).job_id).toBe(JSON.parse(one.body).job_id);
    expect(await newFiles()).toHaveLength(1);
  });

  test("is 409 when the first takes longer", async () => {
    const key = { "Idempotency-Key": "upload-3" };
    const first = beginUpload(api, key);
    first.sending.write(formBody([wavPart]).subarray(0, 20_000));
    await waitFor(async () => (await api.allFiles()).some((name) => name.includes(".put-")), {
      what: "a put under way",
    });
    const startedAt = Date.now();
    const second = await postForm(api, [wavPart], { headers: key });
    expect(second.headers.get("retry-after")).toBe("1");
    await expectProblem(second, 409, "conflict");
    expect(Date.now() - startedAt).toBeGreaterThan(1_300);
    first.sending.destroy();
    await first.answer.catch(() => undefined);
  });
});

test("a store that removes nothing changes no answer", async () => {
  const store = { remove: () => Promise.reject(new Error("The store is away.")) };
  const told: unknown[] = [];
  const parts = { db: api.db, storage: store, log: { warn: (line: unknown) => told.push(line) } };
  const audio = { id: uuidV7(), key: "audio/x", bytes: 1, sha256: "0", media: { container: "wav", contentType: "x" } };
  const mismatch = new RequestError("idempotency_mismatch", "Another input.");
  const refusing = submitAudio(parts as never, { tenantId: uuidV7() } as never, audio as never, () =>
    Promise.reject(mismatch),
  );
  await expect(refusing).rejects.toBe(mismatch);
  expect(told).toHaveLength(1);
});

test("the audio of a job is gone with the job", async () => {
  const { job_id: id } = (await (await postForm(api, [wavPart])).json()) as { job_id: string };
  expect(await newFiles()).toHaveLength(1);
  const { tenant_id } = (await api.db.pool.query("SELECT tenant_id FROM jobs WHERE id = $1", [id])).rows[0];
  await tenantJobs(api.db, tenant_id).cancel(id);
  expect((await api.call(`/api/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(204);
  expect(await newFiles()).toEqual([]);
});

test("a job whose audio cannot be removed is there to be erased again", async () => {
  const { job_id: id } = (await (await postForm(api, [wavPart])).json()) as { job_id: string };
  const { tenant_id } = (await api.db.pool.query("SELECT tenant_id FROM jobs WHERE id = $1", [id])).rows[0];
  await tenantJobs(api.db, tenant_id).cancel(id);
  const file = join(api.dataDir, "audio", (await newFiles())[0]!);
  // A folder that leads to itself leads to no file.
  const folder = dirname(file);
  await rename(folder, `${folder}.kept`);
  await symlink(folder, folder);
  expect((await api.call(`/api/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(503);
  expect((await api.call(`/api/v1/jobs/${id}`)).status).toBe(200);
  await unlink(folder);
  await rename(`${folder}.kept`, folder);
  expect((await api.call(`/api/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(204);
  expect(await newFiles()).toEqual([]);
});
