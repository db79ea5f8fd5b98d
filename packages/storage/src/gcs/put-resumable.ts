import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Bucket, File } from "@google-cloud/storage";
import type { PutOptions } from "../blob-store.ts";
import { cutIntoParts } from "../cut-into-parts.ts";
import { limitChunks } from "./gcs-bucket.ts";
import { requestGcs } from "./gcs-request.ts";

/** A multiple of 256 KiB; one is held in memory, to be sent again where it was lost. */
const CHUNK_BYTES = 8 * 1024 * 1024;

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
  { signal, contentType, ifAbsent }: PutOptions,
): Promise<string> {
  const parts = cutIntoParts(chunks, CHUNK_BYTES);
  const first = await parts.next();
  const resumable = !first.done && first.value.length === CHUNK_BYTES;
  const file = bucket.file(key);
  limitChunks(file);
  const upload = file.createWriteStream({
    resumable,
    ...(resumable && { chunkSize: CHUNK_BYTES }),
    // Otherwise the client guesses one from the name.
    contentType: contentType ?? "application/octet-stream",
    ...(ifAbsent && { preconditionOpts: { ifGenerationMatch: 0 } }),
  });
  async function* body() {
    if (!first.done) yield first.value;
    if (resumable) yield* parts;
  }
  let session: string | undefined;
  let failed = false;
  upload.on("uri", (uri: string) => {
    session = uri;
    // The session came to be while its upload was given up.
    if (failed) void giveUp(file, uri);
  });
  try {
    await pipeline(Readable.from(body(), { objectMode: false }), upload, signal ? { signal } : {});
    return String(file.metadata.generation);
  } catch (error) {
    failed = true;
    if (session !== undefined) await giveUp(file, session);
    throw error;
  }
}

/** Where this fails, Google forgets the session after a week. */
async function giveUp({ storage }: File, url: string): Promise<void> {
  await requestGcs(storage, { method: "DELETE", url, limitMs: 10_000 }).catch(() => {});
}
