import { mkdtemp, readdir, rm, statfs, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createLocalStore } from "../src/index.ts";
import { mapFileError } from "../src/map-file-error.ts";
import { bytesOf, describeBlobStore } from "./store-contract.ts";

const temporaryFiles = async (root: string) =>
  (await readdir(root, { recursive: true })).filter((name) => name.includes(".put-"));

describeBlobStore("local disk", async () => {
  const root = await mkdtemp(join(tmpdir(), "scribe-store-"));
  return {
    store: createLocalStore({ root: join(root, "made", "when needed") }),
    leftovers: () => temporaryFiles(root),
    dispose: () => rm(root, { recursive: true, force: true }),
  };
});

describe("local disk alone", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "scribe-store-"));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  test("a disk that is almost full refuses new objects, and leaves nothing", async () => {
    const store = createLocalStore({ root, reserveBytes: Number.MAX_SAFE_INTEGER });
    const body = bytesOf("x");
    await expect(store.put("a/b", body)).rejects.toMatchObject({ code: "insufficient_storage", retryable: true });
    expect(body.destroyed).toBe(true);
    expect(await readdir(root)).toEqual([]);
  });

  test("a disk that keeps its reserve takes them", async () => {
    const { bavail, bsize } = await statfs(root);
    const store = createLocalStore({ root, reserveBytes: Math.floor((bavail * bsize) / 2) });
    expect(await store.put("a/b", bytesOf("x"))).toMatchObject({ bytes: 1 });
  });

  test("a full disk is told as such", () => {
    for (const code of ["ENOSPC", "EDQUOT"]) {
      expect(mapFileError(Object.assign(new Error(code), { code }))).toMatchObject({ code: "insufficient_storage" });
    }
    expect(mapFileError(Object.assign(new Error("EIO"), { code: "EIO" }))).toMatchObject({
      code: "service_unavailable",
      retryable: true,
    });
  });

  test("a key and a key below it cannot both be", async () => {
    const store = createLocalStore({ root });
    await store.put("a/b", bytesOf("x"));
    await expect(store.put("a/b/c", bytesOf("x"))).rejects.toMatchObject({ code: "conflict" });
    await expect(store.put("a", bytesOf("x"))).rejects.toMatchObject({ code: "conflict" });
    await expect(store.get("a")).rejects.toMatchObject({ code: "not_found" });
    expect(await store.stat("a")).toBeNull();
    expect(await store.stat("a/b/c")).toBeNull();
    await expect(store.get("a/b/c")).rejects.toMatchObject({ code: "not_found" });
    expect(await temporaryFiles(root)).toEqual([]);
  });

  test("sweeps what a killed process left, and not what is being written", async () => {
    const store = createLocalStore({ root });
    await store.put("a/kept", bytesOf("x"));
    const [old, fresh] = [join(root, "a", ".put-old"), join(root, "a", ".put-fresh")];
    await writeFile(old, "half");
    await writeFile(fresh, "half");
    const longAgo = Date.now() / 1000 - 7200;
    await utimes(old, longAgo, longAgo);
    expect(await store.sweepTemporary()).toBe(1);
    expect((await readdir(join(root, "a"))).sort()).toEqual([".put-fresh", "kept"]);
    expect(await store.sweepTemporary({ olderThanMs: 0 })).toBe(1);
    expect(await store.usage()).toMatchObject({ objects: 1, bytes: 1, diskTotalBytes: expect.any(Number) });
  });

  test("folders do not stay behind when their last object goes", async () => {
    const store = createLocalStore({ root });
    await store.put("a/b/c/d", bytesOf("x"));
    await store.put("a/e", bytesOf("x"));
    await store.remove("a/b/c/d");
    expect(await readdir(root, { recursive: true })).toEqual(["a", "a/e"]);
  });

  test("has no addresses of its own", async () => {
    const store = createLocalStore({ root });
    expect(await store.presignPut("a", { bytes: 1, expiresInSeconds: 60 })).toBeNull();
    expect(store.maxSignedBytes).toBe(Number.POSITIVE_INFINITY);
    expect(await store.presignGet("a", { expiresInSeconds: 60 })).toBeNull();
  });
});
