// Runs against the bucket that the environment names (`npm run storage:check`): under a prefix of its own, which is empty
// when it ends.
import { randomUUID } from "node:crypto";
import { afterAll, describe, expect, jest, test } from "@jest/globals";
import { readConfig } from "@scribe/config";
import { openStore } from "../src/index.ts";
import { prefixedStore } from "./prefixed-store.ts";
import { bytesOf, describeBlobStore } from "./store-contract.ts";

jest.setTimeout(1_800_000);

const { config } = readConfig({ ...process.env, STORAGE_BACKEND: process.env.SCRIBE_TEST_BUCKET });
const real = await openStore(config.data);
const root = `scribe-check/${randomUUID()}/`;

afterAll(async () => {
  for await (const { key } of real.list(root)) await real.remove(key);
  await real.close();
});

describeBlobStore(
  `the ${real.backend} bucket`,
  async () => {
    const prefix = `${root}${randomUUID()}/`;
    return {
      store: prefixedStore(real, prefix),
      // Whether uploads are left open cannot be told apart from those of others in the bucket.
      leftovers: async () => [],
      async dispose() {
        for await (const { key } of real.list(prefix)) await real.remove(key);
      },
    };
  },
  { largeBytes: Number(process.env.SCRIBE_TEST_LARGE_BYTES ?? 24 * 1024 * 1024) },
);

describe("addresses of the bucket", () => {
  test("take exactly the bytes that they were made for, and give them back", async () => {
    const key = `${root}signed`;
    const signed = await real.presignPut(key, { bytes: 5, contentType: "audio/wav", expiresInSeconds: 300 });
    if (signed === null) throw new Error("local storage has no addresses");
    const { "content-length": _, ...headers } = signed.headers;
    const send = (body: string) => fetch(signed.url, { method: signed.method, body, headers });
    expect((await send("123456")).ok).toBe(false);
    expect((await send("1234")).ok).toBe(false);
    expect((await send("12345")).ok).toBe(true);
    expect(await real.stat(key)).toMatchObject({ bytes: 5, contentType: "audio/wav" });
    const { url } = (await real.presignGet(key, { expiresInSeconds: 300, downloadName: "a b.wav" }))!;
    expect(await (await fetch(url)).text()).toBe("12345");
  });

  test("an aborted upload leaves no parts behind", async () => {
    const abort = new AbortController();
    async function* body() {
      for (let mebibytes = 0; ; mebibytes++) {
        if (mebibytes === 20) abort.abort(new Error("enough"));
        yield Buffer.alloc(1024 * 1024);
      }
    }
    await expect(real.put(`${root}aborted`, body(), { signal: abort.signal })).rejects.toThrow("enough");
    await real.put(`${root}after`, bytesOf("x"));
    expect(await real.stat(`${root}aborted`)).toBeNull();
  });
});
