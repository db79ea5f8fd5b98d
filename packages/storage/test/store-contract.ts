import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { BlobStat, BlobStore, GetOptions } from "../src/index.ts";

export interface StoreUnderTest {
  readonly store: BlobStore;
  /** What is stored besides finished objects: temporary files, parts of multipart uploads. Must be empty after each test. */
  leftovers(): Promise<string[]>;
  dispose(): Promise<void>;
}

const MEBIBYTE = 1024 * 1024;

/** What every BlobStore promises. `largeBytes` exceeds one part of a multipart upload. */
export function describeBlobStore(
  name: string,
  open: () => Promise<StoreUnderTest>,
  { largeBytes = 24 * MEBIBYTE } = {},
): void {
  describe(`the blob store on ${name}`, () => {
    let subject: StoreUnderTest;
    let store: BlobStore;

    beforeEach(async () => {
      subject = await open();
      store = subject.store;
    });

    afterEach(async () => {
      const leftovers = await subject.leftovers();
      await store.close();
      await subject.dispose();
      expect(leftovers).toEqual([]);
    });

    test("gives back what was put, and tells its size, hash and tag", async () => {
      const put = await store.put("audio/t1/j1/original", bytesOf("hello"), { contentType: "audio/wav" });
      expect(put).toEqual({ bytes: 5, sha256: sha256("hello"), etag: expect.any(String) });
      expect(await readText(store, "audio/t1/j1/original")).toBe("hello");
      expect(await store.stat("audio/t1/j1/original")).toMatchObject({
        key: "audio/t1/j1/original",
        bytes: 5,
        etag: put.etag,
      });
      const age = Date.now() - (await store.stat("audio/t1/j1/original"))!.modifiedAt.getTime();
      expect(Math.abs(age)).toBeLessThan(60_000);
    });

    test("keeps an empty object", async () => {
      expect(await store.put("empty", Readable.from([]))).toMatchObject({ bytes: 0, sha256: sha256("") });
      expect(await store.stat("empty")).toMatchObject({ bytes: 0 });
      expect(await readText(store, "empty")).toBe("");
      await expect(store.get("empty", { range: { start: 0 } })).rejects.toMatchObject({ code: "invalid_range" });
    });

    test("takes an async iterable as well as a stream", async () => {
      async function* body() {
        yield Buffer.from("he");
        yield Buffer.from("llo");
      }
      await store.put("k", body());
      expect(await readText(store, "k")).toBe("hello");
    });

    test("knows nothing of a key that was never put", async () => {
      expect(await store.stat("nowhere/at/all")).toBeNull();
      expect(await store.remove("nowhere/at/all")).toBe(false);
      await expect(store.get("nowhere/at/all")).rejects.toMatchObject({ code: "not_found", retryable: false });
      await expect(store.copy("nowhere", "there")).rejects.toMatchObject({ code: "not_found" });
    });

    test("replaces an object as a whole, under a new tag", async () => {
      const first = await store.put("k", bytesOf("a longer first content"));
      const second = await store.put("k", bytesOf("second"));
      expect(second.etag).not.toBe(first.etag);
      expect(await readText(store, "k")).toBe("second");
    });

    test("a put that is only for an absent key does not replace", async () => {
      await store.put("k", bytesOf("first"), { ifAbsent: true });
      await expect(store.put("k", bytesOf("second"), { ifAbsent: true })).rejects.toMatchObject({ code: "conflict" });
      expect(await readText(store, "k")).toBe("first");
    });

    test("of two puts at once that are only for an absent key, one wins", async () => {
      const outcomes = await Promise.allSettled(
        ["one", "two"].map((text) => store.put("k", bytesOf(text), { ifAbsent: true })),
      );
      expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      expect(["one", "two"]).toContain(await readText(store, "k"));
    });

    test("reads ranges as HTTP counts them", async () => {
      await store.put("k", bytesOf("0123456789"));
      const read = async (start: number, end?: number) =>
        (await buffer(await store.get("k", { range: { start, ...(end === undefined ? {} : { end }) } }))).toString();
      expect(await read(0, 0)).toBe("0");
      expect(await read(3, 5)).toBe("345");
      expect(await read(7)).toBe("789");
      expect(await read(8, 100)).toBe("89");
      await expect(read(10)).rejects.toMatchObject({ code: "invalid_range" });
    });

    test("refuses what is larger than allowed, and keeps nothing of it", async () => {
      await expect(store.put("k", noise(3 * MEBIBYTE), { maxBytes: 2 * MEBIBYTE })).rejects.toMatchObject({
        code: "payload_too_large",
      });
      expect(await store.stat("k")).toBeNull();
      await expect(store.put("k", bytesOf("12345"), { maxBytes: 5 })).resolves.toMatchObject({ bytes: 5 });
      await expect(store.put("k", bytesOf("123456"), { maxBytes: 5 })).rejects.toMatchObject({
        code: "payload_too_large",
      });
      expect(await readText(store, "k")).toBe("12345");
    });

    test("a body that breaks leaves the old object and throws what the body threw", async () => {
      await store.put("k", bytesOf("old"));
      const failure = new Error("the line was cut");
      async function* broken() {
        yield Buffer.alloc(largeBytes);
        throw failure;
      }
      await expect(store.put("k", Readable.from(broken()))).rejects.toBe(failure);
      await expect(store.put("other", broken())).rejects.toBe(failure);
      expect(await readText(store, "k")).toBe("old");
      expect(await store.stat("other")).toBeNull();
    });

    test("a body that was destroyed is a failure, not an end", async () => {
      const body = noise(largeBytes);
      const put = store.put("k", body);
      body.once("data", () => body.destroy());
      await expect(put).rejects.toThrow();
      expect(await store.stat("k")).toBeNull();
    });

    test("an aborted put ends at once with the reason, and leaves nothing", async () => {
      const abort = new AbortController();
      const body = new Readable({ read() {} });
      body.push(Buffer.alloc(MEBIBYTE));
      const put = store.put("k", body, { signal: abort.signal });
      await new Promise((resolve) => setTimeout(resolve, 50));
      abort.abort(new Error("enough"));
      await expect(put).rejects.toThrow("enough");
      expect(body.destroyed).toBe(true);
      expect(await store.stat("k")).toBeNull();
      await expect(store.put("k", bytesOf("x"), { signal: abort.signal })).rejects.toThrow("enough");
    });

    test("an aborted get ends the stream with the reason", async () => {
      await store.put("k", noise(largeBytes));
      const abort = new AbortController();
      const stream = await store.get("k", { signal: abort.signal });
      stream.once("data", () => abort.abort(new Error("enough")));
      await expect(buffer(stream)).rejects.toThrow("enough");
      await expect(store.get("k", { signal: abort.signal })).rejects.toThrow("enough");
    });

    test("an object is invisible until its last byte is there", async () => {
      const body = new Readable({ read() {} });
      const put = store.put("half/way", body);
      body.push(Buffer.alloc(MEBIBYTE));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await store.stat("half/way")).toBeNull();
      expect(await keys(store.list(""))).toEqual([]);
      body.push(null);
      await put;
      expect(await keys(store.list(""))).toEqual(["half/way"]);
    });

    test("a reader keeps the content that it began with", async () => {
      await store.put("k", noise(largeBytes, 1));
      const stream = await store.get("k");
      const before = hashOf(stream);
      await store.put("k", noise(largeBytes, 2));
      expect([await hashOf(noise(largeBytes, 1)), await hashOf(noise(largeBytes, 2))]).toContain(await before);
    });

    test("lists by prefix, also in the middle of a segment, and deeper", async () => {
      const all = ["a/b/1", "a/b/2", "a/bc/3", "a/x", "ab", "b/1"];
      for (const key of all) await store.put(key, bytesOf(key));
      expect(await keys(store.list(""))).toEqual(all);
      expect(await keys(store.list("a/"))).toEqual(["a/b/1", "a/b/2", "a/bc/3", "a/x"]);
      expect(await keys(store.list("a/b"))).toEqual(["a/b/1", "a/b/2", "a/bc/3"]);
      expect(await keys(store.list("a/b/"))).toEqual(["a/b/1", "a/b/2"]);
      expect(await keys(store.list("a"))).toEqual(["a/b/1", "a/b/2", "a/bc/3", "a/x", "ab"]);
      expect(await keys(store.list("a/b/1"))).toEqual(["a/b/1"]);
      expect(await keys(store.list("nothing/"))).toEqual([]);
    });

    test("removes, and forgets", async () => {
      await store.put("a/b/c", bytesOf("x"));
      await store.put("a/b/d", bytesOf("y"));
      expect(await store.remove("a/b/c")).toBe(true);
      expect(await store.remove("a/b/c")).toBe(false);
      expect(await keys(store.list("a/"))).toEqual(["a/b/d"]);
    });

    test("copies what was seen, or nothing", async () => {
      const seen = await store.put("from", bytesOf("sniffed"));
      const copied = await store.copy("from", "kept/here", { ifMatch: seen.etag });
      expect(copied.sha256).toBe(store.backend === "local" ? sha256("sniffed") : undefined);
      expect(copied).toMatchObject({ key: "kept/here", bytes: 7 });
      expect(await readText(store, "kept/here")).toBe("sniffed");
      await store.put("from", bytesOf("swapped"));
      await expect(store.copy("from", "kept/too", { ifMatch: seen.etag })).rejects.toMatchObject({ code: "conflict" });
      expect(await store.stat("kept/too")).toBeNull();
      await store.copy("from", "kept/here");
      expect(await readText(store, "kept/here")).toBe("swapped");
    });

    test("reads what was seen, or nothing", async () => {
      const seen = await store.put("k", bytesOf("sniffed"));
      expect(await readText(store, "k", { ifMatch: seen.etag })).toBe("sniffed");
      await store.put("k", bytesOf("swapped"));
      await expect(store.get("k", { ifMatch: seen.etag })).rejects.toMatchObject({ code: "conflict" });
    });

    test("counts what it keeps", async () => {
      await store.put("a/1", bytesOf("12345"));
      await store.put("a/2", bytesOf("123"));
      expect(await store.usage()).toMatchObject({ backend: store.backend, objects: 2, bytes: 8 });
    });

    test.each([
      "",
      "/",
      "/etc/passwd",
      "a//b",
      "a/",
      "a/../b",
      "..",
      ".",
      "a/./b",
      ".put-x",
      "a/.hidden",
      "a\\b",
      "a\0b",
      "a b",
      "é",
      "a%2e%2e/b",
      "a\nb",
      "x".repeat(201),
      `${"a/".repeat(450)}bb`,
    ])("refuses the key %j everywhere", async (key) => {
      const body = bytesOf("x");
      const invalid = expect.objectContaining({ code: "invalid_key" });
      await expect(store.put(key, body)).rejects.toEqual(invalid);
      await expect(store.get(key)).rejects.toEqual(invalid);
      await expect(store.stat(key)).rejects.toEqual(invalid);
      await expect(store.remove(key)).rejects.toEqual(invalid);
      await expect(store.copy(key, "a")).rejects.toEqual(invalid);
      await expect(store.copy("a", key)).rejects.toEqual(invalid);
      await expect(store.presignPut(key, { bytes: 1, expiresInSeconds: 60 })).rejects.toEqual(invalid);
      await expect(store.presignGet(key, { expiresInSeconds: 60 })).rejects.toEqual(invalid);
      if (key !== "" && key !== "a/") await expect(keys(store.list(key))).rejects.toEqual(invalid);
    });

    test("a large object passes both ways whole, in memory that does not grow with it", async () => {
      /** The most memory while so many bytes go there and come back. */
      const peakOf = async (bytes: number) => {
        let peak = 0;
        const watch = setInterval(() => {
          peak = Math.max(peak, process.memoryUsage().rss);
        }, 20);
        try {
          const put = await store.put("large", noise(bytes));
          expect(put).toMatchObject({ bytes, sha256: await hashOf(noise(bytes)) });
          expect(await hashOf(await store.get("large"))).toBe(put.sha256);
        } finally {
          clearInterval(watch);
        }
        return peak;
      };
      // The collector takes what it likes of any stream, once; what a store holds grows with the object.
      const before = await peakOf(2 * largeBytes);
      expect((await peakOf(6 * largeBytes)) - before).toBeLessThan(3 * largeBytes);
    });

    test("a hundred small objects at once in one folder that comes and goes", async () => {
      const one = async (index: number) => {
        const key = `busy/${index % 5}/${index}`;
        await store.put(key, bytesOf(key));
        expect(await readText(store, key)).toBe(key);
        expect(await store.remove(key)).toBe(true);
      };
      await Promise.all(Array.from({ length: 100 }, (_, index) => one(index)));
      expect(await keys(store.list(""))).toEqual([]);
    });
  });
}

export function bytesOf(text: string): Readable {
  return Readable.from([Buffer.from(text)], { objectMode: false });
}

/** The same bytes for the same seed. */
function noise(bytes: number, seed = 1): Readable {
  const block = Buffer.alloc(64 * 1024);
  let state = seed >>> 0;
  for (let i = 0; i < block.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    block[i] = state >>> 24;
  }
  let left = bytes;
  return new Readable({
    read() {
      const size = Math.min(left, block.length);
      left -= size;
      this.push(size === 0 ? null : Buffer.from(block.subarray(0, size)));
    },
  });
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

async function hashOf(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest("hex");
}

async function readText(store: BlobStore, key: string, options: GetOptions = {}): Promise<string> {
  return (await buffer(await store.get(key, options))).toString();
}

async function keys(found: AsyncIterable<BlobStat>): Promise<string[]> {
  const result: string[] = [];
  for await (const { key } of found) result.push(key);
  return result.sort();
}
