import { setTimeout as sleep } from "node:timers/promises";
import type { Storage } from "@google-cloud/storage";
import { StorageError } from "../storage-error.ts";
import { askGcs, WORTH_A_RETRY } from "./gcs-request.ts";
import { mapGcsError } from "./map-gcs-error.ts";

export interface Chunk {
  /** Of the session. */
  url: string;
  chunk: Buffer;
  /** Where it begins in the object. */
  offset: number;
  /** Of the whole object; null while that is not known: not the last chunk. */
  totalBytes: number | null;
  signal?: AbortSignal | undefined;
}

/** A chunk over a slow line. */
const CHUNK_LIMIT_MS = 300_000;
const TRIES = 5;
const PAUSE_MS = 250;

/**
 * Sends one chunk of a resumable upload until all of it is kept: the session says how far it is, and what is missing is
 * sent again. Returns the object once it was the last chunk.
 */
export async function sendChunk(storage: Storage, sent: Chunk): Promise<{ generation: string } | null> {
  const { url, chunk, offset, signal } = sent;
  const total = sent.totalBytes ?? "*";
  let kept = 0;
  let failures = 0;
  let ask = false;
  for (;;) {
    const rest = chunk.subarray(kept);
    const range = ask ? `bytes */${total}` : `bytes ${offset + kept}-${offset + chunk.length - 1}/${total}`;
    const answer = await askGcs(storage, {
      ...{ method: "PUT", url, signal, limitMs: CHUNK_LIMIT_MS },
      headers: { "content-range": range },
      body: ask ? new Uint8Array() : rest,
    }).catch((error: unknown) => {
      if (signal?.aborted) throw signal.reason;
      return error as Error;
    });
    const status = answer instanceof Response ? answer.status : 503;
    if (answer instanceof Response && answer.ok) return (await answer.json()) as { generation: string };
    if (answer instanceof Response) await answer.body?.cancel();
    if (answer instanceof Response && status === 308) {
      const end = /^bytes=0-(\d+)$/.exec(answer.headers.get("range") ?? "")?.[1];
      const now = (end === undefined ? 0 : Number(end) + 1) - offset;
      if (now < 0) throw new StorageError("service_unavailable", "The object store lost what it had kept.");
      if (now > kept) failures = 0;
      kept = now;
      ask = false;
      if (kept === chunk.length && sent.totalBytes === null) return null;
      // All is there, and the object is not yet.
      if (kept === chunk.length) ask = true;
    } else if (WORTH_A_RETRY.has(status)) ask = true;
    else throw mapGcsError({ status });
    failures += 1;
    if (failures > TRIES) throw mapGcsError(answer instanceof Response ? { status: 503 } : answer);
    if (failures > 1 || ask) await sleep(PAUSE_MS * 2 ** failures, undefined, signal ? { signal } : {});
  }
}
