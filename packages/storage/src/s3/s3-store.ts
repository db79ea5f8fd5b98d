import type { Readable } from "node:stream";
import type { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { attachment } from "../attachment.ts";
import type { BlobStat, BlobStore, GetOptions } from "../blob-store.ts";
import { countUsage } from "../count-usage.ts";
import { guardBody } from "../guard-body.ts";
import { assertKeyPrefix, assertObjectKey } from "../object-key.ts";
import { putMeasured } from "../put-measured.ts";
import { rangeHeader } from "../range-header.ts";
import { StorageError } from "../storage-error.ts";
import { mapS3Error } from "./map-s3-error.ts";
import { putParts } from "./put-parts.ts";
import { openS3, type S3Connection, type S3Options, SILENCE_MS } from "./s3-client.ts";

/** Parts carry no sign of life; whoever still uploads after a day will not end. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

/** Amazon's limit on one PUT, and on one copy; other stores that speak S3 have this one or a higher one. */
const MAX_SIGNED_BYTES = 5 * 2 ** 30;

interface Waiting {
  readonly signal?: AbortSignal;
}

/** Objects in a bucket of S3, or of a store that speaks its protocol. Makes no bucket and no connection. */
export async function createS3Store(options: S3Options): Promise<BlobStore> {
  const s3 = await openS3(options);
  const { client, patientClient, commands, bucket: Bucket } = s3;

  /** Runs a request; its errors become the store's, an abort the signal's reason. */
  async function ask<T>(signal: AbortSignal | undefined, request: (how: object) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await request(signal ? { abortSignal: signal } : {});
    } catch (error) {
      throw signal?.aborted ? signal.reason : mapS3Error(error);
    }
  }

  async function get(key: string, { range, signal, ifMatch }: GetOptions = {}): Promise<Readable> {
    assertObjectKey(key);
    const Range = rangeHeader(range);
    const command = new commands.GetObjectCommand({ Bucket, Key: key, Range, IfMatch: ifMatch && quoted(ifMatch) });
    const { Body, ContentLength } = await ask(signal, (how) => client.send(command, how));
    return guardBody(Body as Readable, { signal, bytes: ContentLength, idleMs: SILENCE_MS });
  }

  async function stat(key: string, { signal }: Waiting = {}): Promise<BlobStat | null> {
    assertObjectKey(key);
    try {
      const command = new commands.HeadObjectCommand({ Bucket, Key: key });
      const head = await ask(signal, (how) => client.send(command, how));
      return {
        key,
        bytes: head.ContentLength ?? 0,
        etag: bare(head.ETag),
        modifiedAt: head.LastModified ?? new Date(0),
        ...(head.ContentType === undefined ? {} : { contentType: head.ContentType }),
      };
    } catch (error) {
      if (error instanceof StorageError && error.code === "not_found") return null;
      throw error;
    }
  }

  async function remove(key: string, options: Waiting = {}): Promise<boolean> {
    // S3 does not say whether there was anything.
    if ((await stat(key, options)) === null) return false;
    await ask(options.signal, (how) => client.send(new commands.DeleteObjectCommand({ Bucket, Key: key }), how));
    return true;
  }

  async function* list(Prefix: string, { signal }: Waiting = {}): AsyncGenerator<BlobStat> {
    assertKeyPrefix(Prefix);
    let ContinuationToken: string | undefined;
    do {
      const command = new commands.ListObjectsV2Command({ Bucket, Prefix, ContinuationToken });
      const page = await ask(signal, (how) => client.send(command, how));
      for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
        if (Key === undefined) continue;
        yield { key: Key, bytes: Size ?? 0, etag: bare(ETag), modifiedAt: LastModified ?? new Date(0) };
      }
      ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  /** One request, in the store itself: objects of up to 5 GiB, as all that were put by a signed address are. */
  async function copy(from: string, to: string, { signal, ifMatch }: Waiting & { readonly ifMatch?: string } = {}) {
    assertObjectKey(from);
    assertObjectKey(to);
    const command = new commands.CopyObjectCommand({
      Bucket,
      Key: to,
      CopySource: `${Bucket}/${from.split("/").map(encodeURIComponent).join("/")}`,
      CopySourceIfMatch: ifMatch && quoted(ifMatch),
    });
    await ask(signal, (how) => patientClient.send(command, how));
    const copied = await stat(to, signal ? { signal } : {});
    if (copied === null) throw new StorageError("conflict", "The copy was removed at once by another.");
    return copied;
  }

  const presignPut: BlobStore["presignPut"] = async (key, { bytes, contentType, expiresInSeconds }) => {
    if (bytes > MAX_SIGNED_BYTES) throw new StorageError("payload_too_large", "One signed PUT takes less than this.");
    assertObjectKey(key);
    const command = new commands.PutObjectCommand({
      Bucket,
      Key: key,
      ContentLength: bytes,
      ContentType: contentType,
    });
    const headers = { "content-length": String(bytes), ...(contentType && { "content-type": contentType }) };
    return { method: "PUT", url: await sign(command, expiresInSeconds, headers), headers, ...until(expiresInSeconds) };
  };

  const presignGet: BlobStore["presignGet"] = async (key, { expiresInSeconds, downloadName }) => {
    assertObjectKey(key);
    const ResponseContentDisposition = downloadName && attachment(downloadName);
    const command = new commands.GetObjectCommand({ Bucket, Key: key, ResponseContentDisposition });
    return { method: "GET", url: await sign(command, expiresInSeconds, {}), headers: {}, ...until(expiresInSeconds) };
  };

  async function sign(command: SignableCommand, expiresIn: number, headers: Record<string, string>): Promise<string> {
    const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
    // The SDK leaves these two unsigned unless told: then any size could be sent.
    const signableHeaders = new Set(Object.keys(headers));
    // The two packages name one type from two versions of the SDK's core.
    const same = [client, command] as unknown as Parameters<typeof getSignedUrl>;
    return ask(undefined, () => getSignedUrl(same[0], same[1], { expiresIn, signableHeaders }));
  }

  async function sweepTemporary({ olderThanMs = ABANDONED_AFTER_MS, signal }: Waiting & { olderThanMs?: number } = {}) {
    let removed = 0;
    for await (const { Key, UploadId, Initiated } of openUploads(s3, ask, signal)) {
      if (Date.now() - (Initiated?.getTime() ?? Date.now()) < olderThanMs) continue;
      const command = new commands.AbortMultipartUploadCommand({ Bucket, Key, UploadId });
      await ask(signal, (how) => client.send(command, how)).then(
        () => removed++,
        (error: StorageError) => {
          // Another sweep was faster.
          if (error.code !== "not_found") throw error;
        },
      );
    }
    return removed;
  }

  return {
    backend: "s3",
    maxSignedBytes: MAX_SIGNED_BYTES,
    put: putMeasured({
      send: async (key, chunks, how) => bare(await putParts(s3, key, chunks, how)),
      mapError: mapS3Error,
    }),
    get,
    stat,
    remove,
    list,
    copy,
    presignPut,
    presignGet,
    usage: (options) => countUsage("s3", list("", options)),
    sweepTemporary,
    close: async () => s3.close(),
  };
}

type SignableCommand = PutObjectCommand | GetObjectCommand;
type Ask = <T>(signal: AbortSignal | undefined, request: (how: object) => Promise<T>) => Promise<T>;

async function* openUploads({ client, commands, bucket }: S3Connection, ask: Ask, signal: AbortSignal | undefined) {
  let from: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
  for (;;) {
    const command = new commands.ListMultipartUploadsCommand({ Bucket: bucket, ...from });
    const page = await ask(signal, (how) => client.send(command, how));
    yield* page.Uploads ?? [];
    if (!page.IsTruncated) return;
    from = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}

/** S3 writes etags in quotes, as HTTP does; callers get them bare. */
function bare(etag: string | undefined): string {
  return (etag ?? "").replaceAll('"', "");
}

function quoted(etag: string): string {
  return `"${etag}"`;
}

function until(expiresInSeconds: number) {
  return { expiresAt: new Date(Date.now() + expiresInSeconds * 1000) };
}
