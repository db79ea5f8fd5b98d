import type { PutOptions } from "../blob-store.ts";
import { cutIntoParts } from "../cut-into-parts.ts";
import { StorageError } from "../storage-error.ts";
import type { S3Connection } from "./s3-client.ts";

/** S3 wants 5 MiB at least in every part but the last, and takes 10,000 of them: objects of up to 78 GiB. */
const PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;
/** Each holds its part in memory until it has gone. */
const PARTS_AT_ONCE = 3;

/**
 * Puts a body of unknown length: as one request where it fits into a part, else in parts. On failure the parts are
 * removed before this throws. The SDK's own `lib-storage` throws at once on an abort and removes them later, if at all.
 *
 * @returns the etag, as S3 writes it
 */
export async function putParts(
  s3: S3Connection,
  key: string,
  chunks: AsyncIterable<Uint8Array>,
  { signal, contentType, ifAbsent }: PutOptions,
): Promise<string> {
  const { client, commands, bucket: Bucket } = s3;
  const target = { Bucket, Key: key };
  const condition = ifAbsent ? { IfNoneMatch: "*" } : {};
  const parts = cutIntoParts(chunks, PART_BYTES);
  const first = await parts.next();
  if (first.done || first.value.length < PART_BYTES) {
    const Body = first.done ? Buffer.alloc(0) : first.value;
    const put = new commands.PutObjectCommand({ ...target, Body, ContentType: contentType, ...condition });
    return need((await client.send(put, abortable(signal))).ETag);
  }
  // Not abortable: an upload whose id never came could not be removed.
  const begun = await client.send(new commands.CreateMultipartUploadCommand({ ...target, ContentType: contentType }));
  const upload = { ...target, UploadId: need(begun.UploadId) };
  try {
    const sent = await sendParts(s3, upload, first.value, parts, signal);
    signal?.throwIfAborted();
    const Parts = sent.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
    const complete = new commands.CompleteMultipartUploadCommand({
      ...upload,
      MultipartUpload: { Parts },
      ...condition,
    });
    return need((await s3.patientClient.send(complete)).ETag);
  } catch (error) {
    // Where even this fails, the sweep finds the parts.
    await client.send(new commands.AbortMultipartUploadCommand(upload)).catch(() => {});
    throw error;
  }
}

/** Sends the parts, a few at once; resolves with their etags in order, and only when no request is under way any more. */
async function sendParts(
  { client, commands }: S3Connection,
  upload: { Bucket: string; Key: string; UploadId: string },
  first: Buffer,
  rest: AsyncIterator<Buffer>,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const etags: string[] = [];
  const failed = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const underWay = new Set<Promise<void>>();
  const send = (Body: Buffer, PartNumber: number) => {
    if (PartNumber > MAX_PARTS) throw new StorageError("payload_too_large", "The object is too large for S3.");
    const sending = client
      .send(new commands.UploadPartCommand({ ...upload, Body, PartNumber }), abortable(stop))
      .then(({ ETag }) => {
        etags[PartNumber - 1] = need(ETag);
      })
      .catch((error: unknown) => failed.abort(error))
      .finally(() => underWay.delete(sending));
    underWay.add(sending);
  };
  try {
    send(first, 1);
    for (let number = 2; !stop.aborted; number++) {
      if (underWay.size >= PARTS_AT_ONCE) await Promise.race(underWay);
      const { value, done } = await rest.next();
      if (done || stop.aborted) break;
      send(value, number);
    }
  } catch (error) {
    failed.abort(error);
  }
  await Promise.all(underWay);
  signal?.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
  return etags;
}

function abortable(signal: AbortSignal | undefined) {
  return signal ? { abortSignal: signal } : {};
}

function need(value: string | undefined): string {
  if (value !== undefined) return value;
  throw new StorageError("service_unavailable", "The object store left out what it must answer.");
}
