import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bucket, File } from "@google-cloud/storage";
import type { PutOptions } from "../blob-store.ts";
import { cutIntoParts } from "../cut-into-parts.ts";
import { limitChunks } from "./gcs-bucket.ts";
import { requestGcs } from "./gcs-request.ts";
import { sendChunk } from "./send-chunk.ts";

/** A multiple of 256 KiB; two are held in memory: one that is sent, and one to see whether it was the last. */
const CHUNK_BYTES = 8 * 1024 * 1024;
const TRIES = 4;
const PAUSE_MS = 250;

/**
 * Puts a body of unknown length: as one request where it fits into a chunk, else through a resumable session. The
 * object appears with the last byte; on failure the session is given up before this throws.
 *
 * @returns the generation
 */
export async function putResumable(
  bucket: Bucket,
  key: string,
  chunks: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<string> {
  const parts = cutIntoParts(chunks, CHUNK_BYTES);
  const first = await parts.next();
  const file = bucket.file(key);
  if (!first.done && first.value.length === CHUNK_BYTES) return await putInChunks(file, first.value, parts, options);
  // The client does not try this again: a connection that had been idle and is gone would fail the put.
  for (let tries = 1; ; tries++) {
    try {
      return await putAtOnce(file, first.value ?? Buffer.alloc(0), options);
    } catch (error) {
      const { signal } = options;
      if (signal?.aborted || tries === TRIES || !mayPass(error)) throw error;
      await sleep(PAUSE_MS * 2 ** tries, undefined, signal ? { signal } : {});
    }
  }
}

async function putAtOnce(file: File, bytes: Buffer, options: PutOptions): Promise<string> {
  limitChunks(file);
  const upload = file.createWriteStream({ resumable: false, ...about(options) });
  await pipeline(
    Readable.from([bytes], { objectMode: false }),
    upload,
    options.signal ? { signal: options.signal } : {},
  );
  return String(file.metadata.generation);
}

async function putInChunks(file: File, first: Buffer, rest: AsyncIterator<Buffer>, options: PutOptions) {
  const { signal } = options;
  const { contentType, ...conditions } = about(options);
  // Not abortable: a session whose address never came could not be given up.
  const [url] = await file.createResumableUpload({ metadata: { contentType }, ...conditions });
  try {
    let offset = 0;
    for (let chunk = first; ; ) {
      signal?.throwIfAborted();
      const next = await rest.next();
      const totalBytes = next.done ? offset + chunk.length : null;
      const made = await sendChunk(file.storage, { url, chunk, offset, totalBytes, signal });
      if (next.done) return String(made?.generation);
      offset += chunk.length;
      chunk = next.value;
    }
  } catch (error) {
    // Where this fails, Google forgets the session after a week.
    await requestGcs(file.storage, { method: "DELETE", url, limitMs: 10_000 }).catch(() => {});
    throw error;
  }
}

function about({ contentType, ifAbsent }: PutOptions) {
  return {
    // Otherwise the client guesses one from the name.
    contentType: contentType ?? "application/octet-stream",
    ...(ifAbsent && { preconditionOpts: { ifGenerationMatch: 0 } }),
  };
}

function mayPass(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return /^(408|429|50[0234]|EPIPE|ECONNRESET|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN)$/.test(String(code));
}
