import { once } from "node:events";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type GcsStandIn, startGcsStandIn, startProcess, waitFor } from "@scribe/testing";
import { mapGcsError } from "../src/gcs/map-gcs-error.ts";
import { type BlobStore, createGcsStore } from "../src/index.ts";
import { bytesOf, describeBlobStore } from "./store-contract.ts";

const MEBIBYTE = 1024 * 1024;

describeBlobStore("GCS (its stand-in)", async () => {
  const server = await startGcsStandIn();
  return {
    store: await createGcsStore(server),
    leftovers: () => server.leftovers(),
    dispose: () => server.stop(),
  };
});

describe("GCS alone", () => {
  let server: GcsStandIn;
  let store: BlobStore;
  beforeEach(async () => {
    server = await startGcsStandIn();
    process.env.GOOGLE_APPLICATION_CREDENTIALS = server.keyFile;
    store = await createGcsStore(server);
  });
  afterEach(async () => {
    delete process.env.GOOGLE_APPLICATION_CREDENTIALS;
    await store.close();
    await server.stop();
  });

  test("a signed address takes exactly the bytes that it was made for, of the type that it was made for", async () => {
    const signed = (await store.presignPut("up/1", { bytes: 5, contentType: "audio/wav", expiresInSeconds: 60 }))!;
    expect(signed.headers).toEqual({ "content-type": "audio/wav", "x-goog-content-length-range": "5,5" });
    const send = async (body: string, headers: Record<string, string>) =>
      (await fetch(signed.url, { method: "PUT", body, headers })).status;
    expect(await send("123456", signed.headers)).toBe(400);
    expect(await send("1234", signed.headers)).toBe(400);
    expect(await send("123456", { ...signed.headers, "x-goog-content-length-range": "0,99" })).toBe(403);
    expect(await send("12345", { ...signed.headers, "content-type": "text/html" })).toBe(403);
    expect(await send("12345", { ...signed.headers, "x-goog-acl": "public-read" })).toBe(403);
    expect(await store.stat("up/1")).toBeNull();
    expect(await send("12345", signed.headers)).toBe(200);
    expect(await store.stat("up/1")).toMatchObject({ bytes: 5, contentType: "audio/wav" });
  });

  test("no address is signed for more than one PUT takes", async () => {
    const most = 5 * 1024 ** 4;
    expect(store.maxSignedBytes).toBe(most);
    expect(await store.presignPut("up/1", { bytes: most, expiresInSeconds: 60 })).toMatchObject({ method: "PUT" });
    await expect(store.presignPut("up/1", { bytes: most + 1, expiresInSeconds: 60 })).rejects.toMatchObject({
      code: "payload_too_large",
      retryable: false,
    });
  });

  test("a signed address gives an object under a name, and no other object", async () => {
    await store.put("k", bytesOf("hello"));
    const { url } = (await store.presignGet("k", { expiresInSeconds: 60, downloadName: "talk 1.wav" }))!;
    const response = await fetch(url);
    expect(await response.text()).toBe("hello");
    expect(response.headers.get("content-disposition")).toBe('attachment; filename="talk 1.wav"');
    expect((await fetch(url.replace("/k?", "/other?"))).status).toBe(403);
  });

  test("a chunk that was kept in part, and one whose answer got lost, are made good", async () => {
    server.fail({ match: /^PUT /, with: "lose" });
    await store.put("k", noise(20 * MEBIBYTE));
    expect(await store.stat("k")).toMatchObject({ bytes: 20 * MEBIBYTE });
    server.fail({ match: /^PUT /, with: 503 });
    const { bytes } = await store.put("k2", noise(20 * MEBIBYTE));
    expect(await store.stat("k2")).toMatchObject({ bytes });
  });

  test("a small object is put again where its connection was gone, or the store was busy", async () => {
    server.fail({ match: /uploadType=multipart/, with: "cut" });
    server.fail({ match: /uploadType=multipart/, with: 503 });
    await store.put("k", bytesOf("hello"));
    expect(await store.stat("k")).toMatchObject({ bytes: 5 });
    server.fail({ match: /uploadType=multipart/, with: 403 });
    await expect(store.put("k", bytesOf("x"))).rejects.toMatchObject({ code: "service_unavailable" });
    expect(await store.stat("k")).toMatchObject({ bytes: 5 });
  });

  test("an upload that is refused for good leaves no session", async () => {
    server.fail({ match: /^PUT /, with: 403 });
    await expect(store.put("k", noise(20 * MEBIBYTE))).rejects.toMatchObject({ code: "service_unavailable" });
    expect(await server.leftovers()).toEqual([]);
    expect(server.sessions()).toEqual([]);
  });

  test("what a killed process left is no object and counts for nothing", async () => {
    const child = startProcess(join(import.meta.dirname, "put-forever.ts"), {
      GCS_SERVER: JSON.stringify({ endpoint: server.endpoint, bucket: server.bucket }),
    });
    await waitFor(() => server.sessions()[0]?.bytes ?? 0, { what: "a chunk", timeoutMs: 15_000 });
    await child.kill();
    expect(await store.usage()).toEqual({ backend: "gcs", objects: 0, bytes: 0 });
    expect(await store.sweepTemporary({ olderThanMs: 0 })).toBe(0);
  });

  test("a body that breaks off on its way is a failure that may be tried again", async () => {
    await store.put("k", noise(4 * MEBIBYTE));
    const stream = await store.get("k");
    stream.once("data", () => server.cutAll());
    await expect(once(stream, "end")).rejects.toMatchObject({ code: "service_unavailable", retryable: true });
  });

  test("a read that the store refuses for a moment is asked again", async () => {
    await store.put("k", bytesOf("hello"));
    server.fail({ match: /alt=media/, with: 503 });
    server.fail({ match: /alt=media/, with: "cut" });
    expect(await new Response(Readable.toWeb(await store.get("k")) as ReadableStream).text()).toBe("hello");
  });

  test("an abort ends the wait for a store that is silent", async () => {
    server.fail({ match: /alt=media/, with: "hang" });
    await expect(store.get("k", { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ name: "TimeoutError" });
    server.fail({ match: /GET/, with: "hang" });
    await expect(store.stat("k", { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ name: "TimeoutError" });
  });

  test("a bucket that is not there is told as such", async () => {
    const other = await createGcsStore({ ...server, bucket: "not-there" });
    await expect(other.stat("k")).rejects.toMatchObject({ message: "The bucket does not exist." });
    await expect(other.get("k")).rejects.toMatchObject({ message: "The bucket does not exist." });
    await expect(other.put("k", bytesOf("x"))).rejects.toMatchObject({ code: "service_unavailable" });
  });

  test("an etag of another kind names no generation", async () => {
    await store.put("k", bytesOf("x"));
    await expect(store.get("k", { ifMatch: "not-a-number" })).rejects.toMatchObject({ code: "conflict" });
  });

  test("knows what Google's words mean", () => {
    expect(mapGcsError({ code: 403 })).toMatchObject({ code: "service_unavailable", retryable: true });
    expect(mapGcsError({ code: "412" }).code).toBe("conflict");
    expect(mapGcsError(new Error("socket hang up")).code).toBe("service_unavailable");
  });
});

function noise(bytes: number): Readable {
  return Readable.from(Array.from({ length: bytes / MEBIBYTE }, (_, index) => Buffer.alloc(MEBIBYTE, index)));
}
