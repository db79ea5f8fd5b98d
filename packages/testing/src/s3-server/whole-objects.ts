import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import S3Error from "@20minutes/s3rver/lib/models/error.js";
import S3Object from "@20minutes/s3rver/lib/models/object.js";

/** What a request asks for beside its operation. */
export interface Conditions {
  ifNoneMatch?: string | undefined;
  ifMatch?: string | undefined;
  copySourceIfMatch?: string | undefined;
  listing?: boolean;
}

interface Kept {
  path: string;
  bytes: number;
  md5: string;
  modifiedAt: Date;
  metadata: Record<string, string>;
}

export interface OpenUpload {
  id: string;
  key: string;
  begunAt: Date;
  metadata: Record<string, string>;
  parts: Map<number, Kept>;
}

/**
 * The store behind s3rver, in place of its own: an object appears whole or not at all, conditions hold, and uploads in
 * parts can be listed and given up. Bytes lie in `folder`, all else in memory. One bucket.
 */
export class WholeObjects {
  readonly objects = new Map<string, Kept>();
  readonly uploads = new Map<string, OpenUpload>();
  readonly #bucket: string;
  readonly #folder: string;
  readonly #conditions: () => Conditions;

  constructor(bucket: string, folder: string, conditions: () => Conditions) {
    this.#bucket = bucket;
    this.#folder = folder;
    this.#conditions = conditions;
  }

  async getBucket(name: string) {
    return name === this.#bucket ? { name, creationDate: new Date(0) } : null;
  }

  async putBucket(name: string) {
    return this.getBucket(name);
  }

  async getSubresource() {
    return null;
  }

  async existsObject(_bucket: string, key: string): Promise<boolean> {
    return this.objects.has(key);
  }

  async listObjects(bucket: string, options: { startAfter?: string; prefix?: string; maxKeys?: number }) {
    const { startAfter = "", prefix = "", maxKeys = 1000 } = options;
    const keys = [...this.objects.keys()].filter((key) => key > startAfter && key.startsWith(prefix)).sort();
    const shown = keys.slice(0, maxKeys);
    const objects = shown.map((key) => new S3Object(bucket, key, null, describe(this.objects.get(key)!)));
    return { objects, commonPrefixes: [], isTruncated: keys.length > shown.length };
  }

  async getObject(bucket: string, key: string, range?: { start?: number; end?: number }) {
    const kept = this.objects.get(key);
    if (!kept) return null;
    const { ifMatch } = this.#conditions();
    if (ifMatch !== undefined && ifMatch !== `"${kept.md5}"`) throw preconditionFailed();
    const asked = range?.start !== undefined;
    const start = range?.start ?? 0;
    const end = Math.min(range?.end ?? Number.POSITIVE_INFINITY, kept.bytes - 1);
    const outside = asked && start >= kept.bytes;
    const content = outside ? null : kept.bytes === 0 ? Readable.from([]) : await openedFile(kept.path, start, end);
    const object = new S3Object(bucket, key, content, describe(kept));
    if (asked) object.range = { start, end };
    return object;
  }

  async putObject({ key, content, metadata }: S3Object) {
    const kept = await this.#write(content, metadata);
    await this.#place(key, kept);
    return { size: kept.bytes, md5: kept.md5 };
  }

  async copyObject(_from: string, fromKey: string, _to: string, toKey: string) {
    const source = this.objects.get(fromKey)!;
    const { copySourceIfMatch } = this.#conditions();
    if (copySourceIfMatch !== undefined && copySourceIfMatch !== `"${source.md5}"`) throw preconditionFailed();
    const kept = await this.#write(await openedFile(source.path, 0, source.bytes - 1), source.metadata);
    await this.#place(toKey, kept);
    return describe(kept);
  }

  async deleteObject(_bucket: string, key: string): Promise<void> {
    const kept = this.objects.get(key);
    this.objects.delete(key);
    if (kept) await rm(kept.path, { force: true });
  }

  async initiateUpload(_bucket: string, key: string, id: string, metadata: Record<string, string>): Promise<void> {
    this.uploads.set(id, { id, key, begunAt: new Date(), metadata, parts: new Map() });
  }

  async putPart(_bucket: string, id: string, number: number, content: Readable) {
    this.#upload(id);
    const part = await this.#write(content, {});
    const upload = this.uploads.get(id);
    if (!upload) {
      await rm(part.path, { force: true });
      throw noSuchUpload();
    }
    upload.parts.set(Number(number), part);
    return { size: part.bytes, md5: part.md5 };
  }

  async putObjectMultipart(_bucket: string, id: string, parts: { number: number; etag: string }[]) {
    const upload = this.#upload(id);
    const named = parts.map(({ number, etag }) => {
      const part = upload.parts.get(number);
      if (part?.md5 !== etag) throw new S3Error("InvalidPart", "A part was not found, or is another.");
      return part;
    });
    if (named.slice(0, -1).some(({ bytes }) => bytes < 5 * 1024 * 1024)) {
      throw new S3Error("EntityTooSmall", "A part is smaller than 5 MiB.");
    }
    async function* all() {
      for (const { path, bytes } of named) yield* await openedFile(path, 0, bytes - 1);
    }
    const whole = await this.#write(Readable.from(all(), { objectMode: false }), upload.metadata);
    const hash = createHash("md5");
    for (const { md5 } of named) hash.update(Buffer.from(md5, "hex"));
    const kept = { ...whole, md5: `${hash.digest("hex")}-${named.length}` };
    await this.#place(upload.key, kept);
    await this.dropUpload(id);
    return { size: kept.bytes, md5: kept.md5 };
  }

  async dropUpload(id: string): Promise<void> {
    const upload = this.#upload(id);
    this.uploads.delete(id);
    for (const { path } of upload.parts.values()) await rm(path, { force: true });
  }

  #upload(id: string): OpenUpload {
    const upload = this.uploads.get(id);
    if (!upload) throw noSuchUpload();
    return upload;
  }

  /** Nothing is awaited between the condition and the change. */
  async #place(key: string, kept: Kept): Promise<void> {
    const before = this.objects.get(key);
    if (this.#conditions().ifNoneMatch === "*" && before) {
      await rm(kept.path, { force: true });
      throw preconditionFailed();
    }
    this.objects.set(key, kept);
    if (before) await rm(before.path, { force: true });
  }

  async #write(content: Buffer | Readable, metadata: Record<string, string>): Promise<Kept> {
    const path = join(this.#folder, randomUUID());
    const hash = createHash("md5");
    const counted = new Transform({
      transform(chunk, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    try {
      await pipeline(content instanceof Buffer ? Readable.from([content]) : content, counted, createWriteStream(path));
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
    const { size } = await stat(path);
    return { path, bytes: size, md5: hash.digest("hex"), modifiedAt: new Date(), metadata };
  }
}

function describe(kept: Kept): Record<string, string> {
  return {
    ...kept.metadata,
    etag: `"${kept.md5}"`,
    "last-modified": kept.modifiedAt.toUTCString(),
    "content-length": String(kept.bytes),
  };
}

/** Open already, so that a removal does not reach whoever reads. */
function openedFile(path: string, start: number, end: number): Promise<Readable> | Readable {
  if (end < start) return Readable.from([]);
  return new Promise((resolve, reject) => {
    const stream = createReadStream(path, { start, end });
    stream.once("error", reject).once("open", () => resolve(stream));
  });
}

function preconditionFailed() {
  return new S3Error("PreconditionFailed", "At least one of the preconditions did not hold.");
}

function noSuchUpload() {
  return new S3Error("NoSuchUpload", "The upload does not exist.");
}
