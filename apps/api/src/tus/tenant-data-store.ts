import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { tenantUploads, type UploadRow } from "@scribe/database";
import { isUuid, RequestError, uuidV7 } from "@scribe/domain";
import { SNIFF_BYTES, sniffMedia } from "@scribe/media";
import { type BlobStat, StorageError } from "@scribe/storage";
import { DataStore, Upload } from "@tus/server";
import type { Api } from "../api.ts";
import { freePassedBuffers } from "../free-passed-buffers.ts";
import { notFound } from "../http/middleware/render-problem.ts";

/** How long an upload may take, and then waits for a job. */
const UPLOAD_MS = 24 * 3_600_000;
/** What has come is safe at the end of a part, or of its connection: a crash of ours costs one part at most. */
const PART_BYTES = 64 * 1024 * 1024;
const MAX_NAME = 255;

/**
 * A tenant's resumable uploads in whatever store is configured. What comes is put as objects named for the offset they
 * begin at, each whole or not there, so the offset is read from the store, by any replica, and of two writers at one
 * offset one finds its name taken. With the last byte they become one object that no client ever had.
 */
export class TenantDataStore extends DataStore {
  override extensions = ["creation", "creation-with-upload", "termination", "expiration"];
  readonly #api: Pick<Api, "config" | "storage" | "metrics">;
  readonly #tenantId: string;
  readonly #uploads: ReturnType<typeof tenantUploads>;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(api: Pick<Api, "config" | "db" | "storage" | "metrics">, tenantId: string) {
    super();
    this.#api = api;
    this.#tenantId = tenantId;
    this.#uploads = tenantUploads(api.db, tenantId);
  }

  /** When what is being written has been stored, also where its sender went away. */
  settled = async (): Promise<void> => {
    await this.#writing.catch(() => undefined);
  };

  override async create(upload: Upload): Promise<Upload> {
    const { id, size = 0, metadata } = upload;
    const name = metadata?.filename?.replaceAll("\u0000", "").toWellFormed().slice(0, MAX_NAME);
    const row = await this.#uploads.create({
      ...{ id, state: "presigned", sizeBytes: size, storageKey: this.#keyOf(id) },
      ...(name ? { filename: name } : {}),
      expiresAt: new Date(Date.now() + UPLOAD_MS),
      mostOpen: this.#api.config.limits.MAX_OPEN_UPLOADS,
    });
    upload.creation_date = row.createdAt.toISOString();
    return upload;
  }

  override async getUpload(id: string): Promise<Upload> {
    const row = await this.#find(id);
    const { sizeBytes: size, filename } = row;
    const parts = row.state === "stored" ? [] : await this.#partsOf(id);
    const offset = row.state === "stored" ? size : endOf(parts);
    // The replica that had the last byte may have died over it.
    if (row.state !== "stored" && offset === size) await this.#finish(row, parts);
    return new Upload({
      ...{ id, size, offset, creation_date: row.createdAt.toISOString() },
      ...(filename === null ? {} : { metadata: { filename } }),
    });
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    const row = await this.#find(id);
    const writing = this.#write(stream, row, offset);
    this.#writing = writing;
    return await writing;
  }

  async #write(stream: Readable, row: UploadRow, offset: number): Promise<number> {
    const source = new Chunks(freePassedBuffers(stream));
    let at = offset;
    while (await source.more()) {
      const { bytes } = await this.#api.storage
        .put(partKey(this.#keyOf(row.id), at), source.take(PART_BYTES), { ifAbsent: true })
        .catch((error: unknown) => {
          if (!(error instanceof StorageError) || error.code !== "conflict") throw error;
          throw new RequestError("conflict", "Another request has written here; ask for the offset.", { cause: error });
        });
      at += bytes;
      this.#api.metrics.uploadedBytes.inc(bytes);
    }
    if (at === row.sizeBytes) await this.#finish(row, await this.#partsOf(row.id));
    return at;
  }

  override async remove(id: string): Promise<void> {
    const row = await this.#find(id);
    if (row.state === "stored") throw new RequestError("conflict", "The upload has ended, and jobs may use it.");
    await this.#uploads.discard(id);
    await this.#removeParts(await this.#partsOf(id));
  }

  override getExpiration(): number {
    return UPLOAD_MS;
  }

  /** Parts become the object that jobs read; where it is no audio or video, nothing stays. */
  async #finish(row: UploadRow, parts: readonly BlobStat[]): Promise<void> {
    const { storage } = this.#api;
    const media = sniffMedia(await this.#head(parts));
    if (media === null) {
      await this.#uploads.discard(row.id);
      await this.#removeParts(parts);
      throw new RequestError("unsupported_media", "The file is no audio or video that is known here.");
    }
    const key = `audio/${this.#tenantId}/${uuidV7()}/source`;
    const { contentType } = media;
    const { sha256 } = await storage.put(key, this.#read(parts), { contentType, maxBytes: row.sizeBytes });
    const expiresAt = new Date(Date.now() + UPLOAD_MS);
    if (!(await this.#uploads.markStored(row.id, { storageKey: key, contentType, sha256, expiresAt }))) {
      await storage.remove(key);
    }
    await this.#removeParts(parts);
  }

  async *#read(parts: readonly BlobStat[]): AsyncGenerator<Uint8Array> {
    for (const { key, etag } of parts) yield* await this.#api.storage.get(key, { ifMatch: etag });
  }

  async #head(parts: readonly BlobStat[]): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let missing = SNIFF_BYTES;
    for (const { key, bytes } of parts) {
      if (missing <= 0) break;
      const range = { start: 0, end: Math.min(missing, bytes) - 1 };
      chunks.push(await buffer(await this.#api.storage.get(key, { range })));
      missing -= bytes;
    }
    return Buffer.concat(chunks);
  }

  /** What is there without a gap, in order. */
  async #partsOf(id: string): Promise<BlobStat[]> {
    const prefix = `${this.#keyOf(id)}/part-`;
    const parts: BlobStat[] = [];
    for await (const part of this.#api.storage.list(prefix)) parts.push(part);
    parts.sort((a, b) => (a.key < b.key ? -1 : 1));
    let end = 0;
    return parts.filter(({ key, bytes }) => {
      if (Number(key.slice(prefix.length)) !== end) return false;
      end += bytes;
      return true;
    });
  }

  async #removeParts(parts: readonly BlobStat[]): Promise<void> {
    // What fails is found by the next cleanup.
    for (const { key } of parts) await this.#api.storage.remove(key).catch(() => false);
  }

  async #find(id: string): Promise<UploadRow> {
    const row = isUuid(id) ? ((await this.#uploads.getPresigned(id)) ?? (await this.#uploads.getStored(id))) : null;
    if (row === null || (row.state === "presigned" && row.storageKey !== this.#keyOf(id))) throw notFound("upload");
    return row;
  }

  #keyOf(id: string): string {
    return `uploads/${this.#tenantId}/${id}/tus`;
  }
}

function partKey(key: string, offset: number): string {
  return `${key}/part-${String(offset).padStart(15, "0")}`;
}

function endOf(parts: readonly BlobStat[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** A source that is taken in pieces. Where it breaks it has ended: what has come is kept. */
class Chunks {
  readonly #source: AsyncIterator<Uint8Array>;
  #next: Uint8Array | null = null;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async more(): Promise<boolean> {
    while (this.#next === null || this.#next.byteLength === 0) {
      const step = await this.#source.next().catch(() => ({ done: true as const, value: undefined }));
      if (step.done === true) return false;
      this.#next = step.value;
    }
    return true;
  }

  async *take(most: number): AsyncGenerator<Uint8Array> {
    let left = most;
    while (left > 0 && (await this.more())) {
      const chunk = this.#next as Uint8Array;
      this.#next = chunk.byteLength > left ? chunk.subarray(left) : null;
      yield chunk.subarray(0, left);
      left -= Math.min(left, chunk.byteLength);
    }
  }
}
