// Puts and gets one object through the store that STORE describes, and prints what it took. A process of its own, so that
// what it measures is the client's memory and nothing else's.
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { type BlobStore, createGcsStore, createLocalStore, createS3Store } from "@scribe/storage";

const { kind, bytes, ...options } = JSON.parse(process.env.STORE ?? "{}");
const store: BlobStore =
  kind === "s3"
    ? await createS3Store(options)
    : kind === "gcs"
      ? await createGcsStore(options)
      : createLocalStore(options);

async function* body(length: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0; ) {
    const chunk = Buffer.alloc(Math.min(left, 64 * 1024), left % 251);
    left -= chunk.length;
    yield chunk;
  }
}

// What is loaded and opened once does not count.
await store.put("bench/warm", body(9 * 1024 * 1024));
const before = process.memoryUsage().rss;
let peak = before;
const watch = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage().rss);
}, 20);
const begun = performance.now();
const { sha256 } = await store.put("bench/large", Readable.from(body(bytes), { objectMode: false }));
const put = performance.now();
const hash = createHash("sha256");
for await (const chunk of await store.get("bench/large")) hash.update(chunk);
const got = performance.now();
clearInterval(watch);
if (hash.digest("hex") !== sha256) throw new Error("other bytes came back");
await store.remove("bench/large");
await store.remove("bench/warm");
await store.close();
console.log(JSON.stringify({ putMs: put - begun, getMs: got - put, beforeBytes: before, growthBytes: peak - before }));
process.exit(0);
