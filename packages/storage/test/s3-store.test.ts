import { once } from "node:events";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type S3Server, startProcess, startS3Server, waitFor } from "@scribe/testing";
import { attachment } from "../src/attachment.ts";
import { type BlobStore, createS3Store } from "../src/index.ts";
import { mapS3Error } from "../src/s3/map-s3-error.ts";
import { bytesOf, describeBlobStore } from "./store-contract.ts";

const MEBIBYTE = 1024 * 1024;

describeBlobStore("S3", async () => {
  const server = await startS3Server();
  return {
    store: await createS3Store(server),
    leftovers: () => server.leftovers(),
    dispose: () => server.stop(),
  };
});

describe("S3 alone", () => {
  let server: S3Server;
  let store: BlobStore;
  beforeEach(async () => {
    server = await startS3Server();
    store = await createS3Store(server);
  });
  afterEach(async () => {
    await store.close();
    await server.stop();
  });

  test("a signed address takes exactly the bytes that it was made for, of the type that it was made for", async () => {
    const signed = (await store.presignPut("up/1", { bytes: 5, contentType: "audio/wav", expiresInSeconds: 60 }))!;
    expect(signed).toMatchObject({ method: "PUT", headers: { "content-length": "5", "content-type": "audio/wav" } });
    expect(signed.expiresAt.getTime() - Date.now()).toBeGreaterThan(50_000);
    const send = (body: string, type = "audio/wav") =>
      fetch(signed.url, { method: "PUT", body, headers: { "content-type": type } }).then(({ status }) => status);
    expect(await send("123456")).toBe(403);
    expect(await send("1234")).toBe(403);
    expect(await send("12345", "text/html")).toBe(403);
    expect(await store.stat("up/1")).toBeNull();
    expect(await send("12345")).toBe(200);
    expect(await store.stat("up/1")).toMatchObject({ bytes: 5, contentType: "audio/wav" });
  });

  test("no address is signed for more than one PUT takes", async () => {
    const most = 5 * 1024 ** 3;
    expect(store.maxSignedBytes).toBe(most);
    expect(await store.presignPut("up/1", { bytes: most, expiresInSeconds: 60 })).toMatchObject({ method: "PUT" });
    await expect(store.presignPut("up/1", { bytes: most + 1, expiresInSeconds: 60 })).rejects.toMatchObject({
      code: "payload_too_large",
      retryable: false,
    });
  });

  test("a signed address gives an object under a name", async () => {
    await store.put("k", bytesOf("hello"));
    const { url } = (await store.presignGet("k", { expiresInSeconds: 60, downloadName: "talk 1.wav" }))!;
    const response = await fetch(url);
    expect(await response.text()).toBe("hello");
    expect(response.headers.get("content-disposition")).toBe('attachment; filename="talk 1.wav"');
    expect((await fetch(url.replace("/k?", "/other?"))).status).toBe(403);
  });

  test("a part that fails is sent again; one that fails for good ends the upload, whose parts go", async () => {
    server.fail({ match: /PUT .*partNumber=2/, with: 503 });
    await store.put("k", Readable.from([Buffer.alloc(20 * MEBIBYTE)]));
    expect(await store.stat("k")).toMatchObject({ bytes: 20 * MEBIBYTE });
    server.fail({ match: /PUT .*partNumber=1/, with: 403 });
    await expect(store.put("other", Readable.from([Buffer.alloc(20 * MEBIBYTE)]))).rejects.toMatchObject({
      code: "service_unavailable",
      retryable: true,
    });
    expect(await store.stat("other")).toBeNull();
    expect(await server.leftovers()).toEqual([]);
  });

  test("an upload that cannot be ended leaves no parts", async () => {
    server.fail({ match: /POST .*uploadId=/, with: 400 });
    await expect(store.put("k", Readable.from([Buffer.alloc(9 * MEBIBYTE)]))).rejects.toMatchObject({
      code: "service_unavailable",
    });
    expect(await server.leftovers()).toEqual([]);
  });

  test("what a killed process left is swept once it is old, and what is under way stays", async () => {
    const child = startProcess(join(import.meta.dirname, "put-forever.ts"), {
      S3_SERVER: JSON.stringify({ ...server, requests: [] }),
    });
    await waitFor(() => server.uploads()[0]?.parts.size ?? 0, { what: "a part", timeoutMs: 15_000 });
    await child.kill();
    expect(server.uploads()).toHaveLength(1);
    expect(await store.sweepTemporary()).toBe(0);
    expect(await store.sweepTemporary({ olderThanMs: 0 })).toBe(1);
    expect(await server.leftovers()).toEqual([]);
    expect(await store.usage()).toEqual({ backend: "s3", objects: 0, bytes: 0 });
  });

  test("a body that breaks off on its way is a failure that may be tried again", async () => {
    await store.put("k", Readable.from([Buffer.alloc(4 * MEBIBYTE)]));
    const stream = await store.get("k");
    stream.once("data", () => server.cutAll());
    await expect(once(stream, "end")).rejects.toMatchObject({ code: "service_unavailable", retryable: true });
  });

  test("a store that is away, or refuses, is told as such", async () => {
    server.fail({ match: /HEAD/, with: 403 });
    await expect(store.stat("k")).rejects.toMatchObject({ code: "service_unavailable" });
    const other = await createS3Store({ ...server, credentials: { accessKeyId: "S3RVER", secretAccessKey: "wrong" } });
    await expect(other.put("k", bytesOf("x"))).rejects.toMatchObject({
      code: "service_unavailable",
      message: "The bucket refuses these credentials.",
    });
    await other.close();
    const nowhere = await createS3Store({ ...server, endpoint: "http://127.0.0.1:9" });
    await expect(nowhere.get("k")).rejects.toMatchObject({ code: "service_unavailable" });
    await nowhere.close();
    const noBucket = await createS3Store({ ...server, bucket: "not-there" });
    await expect(noBucket.get("k")).rejects.toMatchObject({ message: "The bucket does not exist." });
    await noBucket.close();
  });

  test("names beyond ASCII are written as headers can carry them", () => {
    expect(attachment("Größe (1)'.wav")).toBe("attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%281%29%27.wav");
  });

  test("knows the words of other stores", () => {
    const code = (name: string, status?: number) =>
      mapS3Error(Object.assign(new Error(), { name, $metadata: { httpStatusCode: status } })).code;
    expect(code("XMinioStorageFull", 507)).toBe("insufficient_storage");
    expect(code("EntityTooLarge", 400)).toBe("payload_too_large");
    expect(code("ConditionalRequestConflict", 409)).toBe("conflict");
    expect(code("TimeoutError")).toBe("service_unavailable");
  });
});
