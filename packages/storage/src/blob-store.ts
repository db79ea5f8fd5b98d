import type { Readable } from "node:stream";

export interface PutOptions {
  readonly signal?: AbortSignal;
  readonly contentType?: string;
  /** More than this ends the put with `payload_too_large`, and nothing is kept. */
  readonly maxBytes?: number;
  /** Fails with `conflict` where the key exists already. */
  readonly ifAbsent?: boolean;
}

export interface PutResult {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  readonly etag: string;
}

export interface GetOptions {
  /** Offsets of the first and the last byte, both included, as in HTTP. */
  readonly range?: { readonly start: number; readonly end?: number };
  /** Fails with `conflict` where the object's etag is another by now. */
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}

export interface BlobStat {
  readonly key: string;
  readonly bytes: number;
  /** Changes whenever the content does. Opaque. */
  readonly etag: string;
  readonly modifiedAt: Date;
  readonly contentType?: string;
}

export interface CopyResult extends BlobStat {
  /** Hex; absent where the bytes were copied without passing through here (S3, GCS). */
  readonly sha256?: string;
}

export interface PresignedRequest {
  readonly method: "PUT" | "GET";
  readonly url: string;
  /** Must be sent as they are. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAt: Date;
}

export interface StorageUsage {
  readonly backend: BlobStore["backend"];
  readonly objects: number;
  readonly bytes: number;
  readonly diskFreeBytes?: number;
  readonly diskTotalBytes?: number;
}

interface Waiting {
  readonly signal?: AbortSignal;
}

/**
 * Where audio lies. Keys are paths of plain segments (`audio/<tenant>/<job>/original`); an object is visible whole or
 * not at all; memory does not grow with its size. Every failure is a `StorageError`, an abort is the signal's reason.
 */
export interface BlobStore {
  readonly backend: "local" | "s3" | "gcs";
  put(key: string, body: Readable | AsyncIterable<Uint8Array>, options?: PutOptions): Promise<PutResult>;
  /** Rejects with `not_found` before the first byte; a range beyond the end is `invalid_range`. */
  get(key: string, options?: GetOptions): Promise<Readable>;
  stat(key: string, options?: Waiting): Promise<BlobStat | null>;
  /** Whether there was something to remove. */
  remove(key: string, options?: Waiting): Promise<boolean>;
  /** Everything whose key begins with `prefix`, in no promised order. */
  list(prefix: string, options?: Waiting): AsyncIterable<BlobStat>;
  /** Fails with `conflict` where the source's etag is not `ifMatch`: then its bytes were changed meanwhile. */
  copy(from: string, to: string, options?: Waiting & { readonly ifMatch?: string }): Promise<CopyResult>;
  /** The most that one signed address takes; larger objects are put in parts. */
  readonly maxSignedBytes: number;
  /**
   * An address for exactly `bytes` bytes at `key`; null where the store has no addresses of its own (local disk). Fails
   * with `payload_too_large` beyond `maxSignedBytes`.
   */
  presignPut(
    key: string,
    options: { readonly bytes: number; readonly contentType?: string; readonly expiresInSeconds: number },
  ): Promise<PresignedRequest | null>;
  presignGet(
    key: string,
    options: { readonly expiresInSeconds: number; readonly downloadName?: string },
  ): Promise<PresignedRequest | null>;
  usage(options?: Waiting): Promise<StorageUsage>;
  /** Removes what interrupted puts left behind; returns how many. */
  sweepTemporary(options?: Waiting & { readonly olderThanMs?: number }): Promise<number>;
  close(): Promise<void>;
}
