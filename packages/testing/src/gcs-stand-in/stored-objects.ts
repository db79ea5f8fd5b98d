import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { crc32c, writeCrc } from "./crc32c.ts";

/** Bytes of one object or of one session, in a file of their own, with what the API tells of them. */
export interface Bytes {
  path: string;
  bytes: number;
  crc: number;
}

export interface StoredObject extends Bytes {
  name: string;
  generation: string;
  contentType: string;
  updated: Date;
}

export interface Session extends Bytes {
  id: string;
  name: string;
  contentType: string;
  ifGenerationMatch?: string | undefined;
}

/** The bucket behind the stand-in: no object versioning, and each change gets a generation of its own. */
export class StoredObjects {
  readonly objects = new Map<string, StoredObject>();
  readonly sessions = new Map<string, Session>();
  readonly #folder: string;
  #lastGeneration = Date.now() * 1000;

  constructor(folder: string) {
    this.#folder = folder;
  }

  newPath(): string {
    return join(this.#folder, randomUUID());
  }

  /** Appends at most `limit` bytes of `body`; what came before a break stays, as in the real one. */
  async append(target: Bytes, body: Readable, limit = Number.POSITIVE_INFINITY): Promise<void> {
    await using file = await open(target.path, "a");
    let room = limit;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const taken = chunk.subarray(0, Math.max(0, room));
      room -= taken.length;
      if (taken.length === 0) continue;
      await file.writeFile(taken);
      target.bytes += taken.length;
      target.crc = crc32c(taken, target.crc);
    }
  }

  /** Makes bytes an object, in one step; false where another generation is there than the condition names (`0`: none). */
  async place(from: Bytes, about: { name: string; contentType: string; ifGenerationMatch?: string | undefined }) {
    const { name, contentType, ifGenerationMatch } = about;
    const before = this.objects.get(name);
    if (ifGenerationMatch !== undefined && ifGenerationMatch !== (before?.generation ?? "0")) {
      await rm(from.path, { force: true });
      return null;
    }
    const generation = String(++this.#lastGeneration);
    const { path, bytes, crc } = from;
    const object = { path, bytes, crc, name, contentType, generation, updated: new Date() };
    this.objects.set(name, object);
    if (before) await rm(before.path, { force: true });
    return object;
  }

  async copy(source: StoredObject, name: string): Promise<StoredObject> {
    const [staged, path] = [this.newPath(), this.newPath()];
    await copyFile(source.path, staged);
    await rename(staged, path);
    return (await this.place({ ...source, path }, { name, contentType: source.contentType }))!;
  }

  async remove(name: string): Promise<boolean> {
    const object = this.objects.get(name);
    this.objects.delete(name);
    if (object) await rm(object.path, { force: true });
    return object !== undefined;
  }

  async drop(session: Session): Promise<void> {
    this.sessions.delete(session.id);
    await rm(session.path, { force: true });
  }

  /** Open when this resolves, so that a removal does not reach whoever reads. */
  read({ path }: Bytes, start: number, end: number): Promise<Readable> {
    return new Promise((resolve, reject) => {
      const stream = createReadStream(path, { start, end });
      stream.once("error", reject).once("open", () => resolve(stream));
    });
  }
}

/** The object as the JSON API tells it. */
export function describeObject(bucket: string, object: StoredObject): Record<string, string> {
  const { name, generation, bytes, contentType, updated, crc } = object;
  return {
    kind: "storage#object",
    id: `${bucket}/${name}/${generation}`,
    ...{ bucket, name, generation, contentType },
    metageneration: "1",
    size: String(bytes),
    updated: updated.toISOString(),
    timeCreated: updated.toISOString(),
    etag: createHash("md5").update(generation).digest("base64"),
    crc32c: writeCrc(crc),
  };
}
