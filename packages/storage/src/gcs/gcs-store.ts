import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { File, FileMetadata } from "@google-cloud/storage";
import { attachment } from "../attachment.ts";
import type { BlobStat, BlobStore, GetOptions } from "../blob-store.ts";
import { countUsage } from "../count-usage.ts";
import { guardBody } from "../guard-body.ts";
import { assertKeyPrefix, assertObjectKey } from "../object-key.ts";
import { putMeasured } from "../put-measured.ts";
import { rangeHeader } from "../range-header.ts";
import { StorageError } from "../storage-error.ts";
import { askGcs } from "./ask-gcs.ts";
import { type GcsOptions, openGcsBucket, SILENCE_MS } from "./gcs-bucket.ts";
import { requestGcs } from "./gcs-request.ts";
import { mapGcsError } from "./map-gcs-error.ts";
import { putResumable } from "./put-resumable.ts";

/** A rewrite of some gigabytes answers in steps of up to half a minute. */
const COPY_LIMIT_MS = 600_000;

/** Google's limit on an object. */
const MAX_SIGNED_BYTES = 5 * 2 ** 40;

interface Waiting {
  readonly signal?: AbortSignal;
}

interface MaybeWaiting {
  readonly signal?: AbortSignal | undefined;
}

/** Objects in a bucket of Google Cloud Storage; their etag is the generation. Makes no bucket and no connection. */
export async function createGcsStore(options: GcsOptions): Promise<BlobStore> {
  const bucket = await openGcsBucket(options);

  async function get(key: string, { range, signal, ifMatch }: GetOptions = {}): Promise<Readable> {
    assertObjectKey(key);
    const wanted = rangeHeader(range);
    const headers: Record<string, string> = wanted === undefined ? {} : { range: wanted };
    const query = { alt: "media", ...(ifMatch && { generation: String(readGeneration(ifMatch)) }) };
    try {
      const { body, headers: answer } = await request("GET", key, { query, headers, signal });
      const source = body ? Readable.fromWeb(body as NodeReadableStream) : Readable.from([]);
      const length = answer.get("content-length");
      return guardBody(source, { signal, bytes: length === null ? undefined : Number(length), idleMs: SILENCE_MS });
    } catch (error) {
      throw await otherwise(error, key, ifMatch);
    }
  }

  async function stat(key: string, { signal }: Waiting = {}): Promise<BlobStat | null> {
    assertObjectKey(key);
    try {
      const answer = await request("GET", key, { signal });
      return toStat(key, (await askGcs(signal, answer.json())) as FileMetadata);
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  async function remove(key: string, { signal }: Waiting = {}): Promise<boolean> {
    assertObjectKey(key);
    try {
      await request("DELETE", key, { signal });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** An answer with a body to read, or the store's error. */
  async function request(
    method: "GET" | "DELETE",
    key: string,
    {
      query,
      headers = {},
      signal,
    }: { query?: Record<string, string>; headers?: Record<string, string> } & MaybeWaiting,
  ): Promise<Response> {
    const { storage, name } = bucket;
    const url = `${storage.apiEndpoint}/storage/v1/b/${name}/o/${encodeURIComponent(key)}?${new URLSearchParams(query)}`;
    const answer = await askGcs(signal, requestGcs(storage, { method, url, headers, signal, limitMs: SILENCE_MS }));
    if (answer.ok) return answer;
    throw mapGcsError({ status: answer.status, message: await readReason(answer.body) });
  }

  async function* list(prefix: string, { signal }: Waiting = {}): AsyncGenerator<BlobStat> {
    assertKeyPrefix(prefix);
    let pageToken: string | undefined;
    do {
      const query = {
        prefix,
        autoPaginate: false,
        maxResults: 1000,
        ...(pageToken === undefined ? {} : { pageToken }),
      };
      const [files, next] = await askGcs(signal, bucket.getFiles(query));
      for (const file of files) yield toStat(file.name, file.metadata);
      pageToken = (next as { pageToken?: string } | null)?.pageToken;
    } while (pageToken !== undefined);
  }

  async function copy(from: string, to: string, { signal, ifMatch }: Waiting & { readonly ifMatch?: string } = {}) {
    assertObjectKey(from);
    assertObjectKey(to);
    try {
      const copying = fileOf(from, ifMatch).copy(fileOf(to));
      const [, answer] = await askGcs(signal, copying, COPY_LIMIT_MS);
      return toStat(to, (answer as { resource: FileMetadata }).resource);
    } catch (error) {
      throw await otherwise(error, from, ifMatch);
    }
  }

  /** Another generation is another object to Google: gone, where it was replaced. */
  async function otherwise(error: unknown, key: string, ifMatch: string | undefined): Promise<unknown> {
    if (ifMatch === undefined || !isNotFound(error) || (await stat(key)) === null) return error;
    return new StorageError("conflict", "The object was changed meanwhile.", { cause: error });
  }

  const presignPut: BlobStore["presignPut"] = async (key, { bytes, contentType, expiresInSeconds }) => {
    if (bytes > MAX_SIGNED_BYTES) throw new StorageError("payload_too_large", "One signed PUT takes less than this.");
    const extensionHeaders = { "x-goog-content-length-range": `${bytes},${bytes}` };
    const how = { action: "write", extensionHeaders, ...(contentType && { contentType }) } as const;
    const { url, expiresAt } = await sign(key, expiresInSeconds, how);
    return {
      method: "PUT",
      url,
      headers: { ...(contentType && { "content-type": contentType }), ...extensionHeaders },
      expiresAt,
    };
  };

  const presignGet: BlobStore["presignGet"] = async (key, { expiresInSeconds, downloadName }) => {
    const how = { action: "read", ...(downloadName && { responseDisposition: attachment(downloadName) }) } as const;
    return { method: "GET", headers: {}, ...(await sign(key, expiresInSeconds, how)) };
  };

  async function sign(key: string, expiresInSeconds: number, how: Omit<SignConfig, "expires" | "version">) {
    assertObjectKey(key);
    const expiresAt = new Date(Date.now() + expiresInSeconds * 1000);
    const [url] = await askGcs(undefined, fileOf(key).getSignedUrl({ ...how, version: "v4", expires: expiresAt }));
    return { url, expiresAt };
  }

  function fileOf(key: string, generation?: string): File {
    return bucket.file(key, generation === undefined ? {} : { generation: readGeneration(generation) });
  }

  return {
    backend: "gcs",
    maxSignedBytes: MAX_SIGNED_BYTES,
    put: putMeasured({ send: (key, chunks, how) => putResumable(bucket, key, chunks, how), mapError: mapGcsError }),
    get,
    stat,
    remove,
    list,
    copy,
    presignPut,
    presignGet,
    usage: (how) => countUsage("gcs", list("", how)),
    // Sessions cannot be listed, count for nothing, and end by themselves after a week.
    sweepTemporary: async () => 0,
    close: async () => {},
  };
}

type SignConfig = Parameters<File["getSignedUrl"]>[0];

/** Of a refusal; some KiB at most. */
async function readReason(body: Response["body"]): Promise<string> {
  let text = "";
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.length > 4096) break;
  }
  return text;
}

function isNotFound(error: unknown): boolean {
  return error instanceof StorageError && error.code === "not_found";
}

/** What was never a generation is none of this object's. */
function readGeneration(etag: string): number {
  return /^\d{1,16}$/.test(etag) ? Number(etag) : 1;
}

function toStat(key: string, { size, generation, updated, contentType }: FileMetadata): BlobStat {
  return {
    key,
    bytes: Number(size ?? 0),
    etag: String(generation),
    modifiedAt: new Date(updated ?? 0),
    ...(contentType === undefined ? {} : { contentType }),
  };
}
