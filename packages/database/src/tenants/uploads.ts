import { uuidV7 } from "@scribe/domain";
import type { Upload } from "../generated/client.ts";
import type { Database } from "../open-database.ts";
import { OPEN_LOCKS, TooManyOpen } from "./too-many-open.ts";

export interface UploadRow extends Omit<Upload, "sizeBytes"> {
  sizeBytes: number;
}

export interface NewUpload {
  id?: string | undefined;
  state: "presigned" | "stored";
  filename?: string | undefined;
  contentType?: string | undefined;
  sizeBytes: number;
  sha256?: string | undefined;
  storageKey: string;
  expiresAt: Date;
  /** Uploads that the tenant may have at once which await bytes, or have them and no job that uses them. */
  mostOpen?: number | undefined;
}

/** A tenant's uploads: files that are here, or promised, and that jobs may name as their source. */
export function tenantUploads(db: Database, tenantId: string) {
  return {
    /** @throws TooManyOpen */
    async create(upload: NewUpload): Promise<UploadRow> {
      const { id = uuidV7(), sizeBytes, mostOpen, ...rest } = upload;
      const data = { id, tenantId, sizeBytes: BigInt(sizeBytes), ...rest };
      if (mostOpen === undefined) return toRow(await db.prisma.upload.create({ data }));
      return await db.prisma.$transaction(async (tx) => {
        await tx.$executeRaw`SELECT pg_advisory_xact_lock(${OPEN_LOCKS.uploads}::int, hashtext(${tenantId}))`;
        const open = await tx.$executeRaw`SELECT 1 FROM uploads WHERE tenant_id = ${tenantId}::uuid
          AND state <> 'discarded' AND expires_at > now()
          AND NOT EXISTS (SELECT 1 FROM jobs WHERE audio_key = storage_key) LIMIT ${mostOpen}::int`;
        if (open >= mostOpen) throw new TooManyOpen("uploads", mostOpen);
        return toRow(await tx.upload.create({ data }));
      });
    },

    /** One that a job may still name: stored, and not past its time. */
    async getStored(id: string): Promise<UploadRow | null> {
      const row = await db.prisma.upload.findFirst({
        where: { id, tenantId, state: "stored", expiresAt: { gt: new Date() } },
      });
      return row && toRow(row);
    },

    /** One whose bytes are awaited, or have come and wait to be taken over. */
    async getPresigned(id: string): Promise<UploadRow | null> {
      const row = await db.prisma.upload.findFirst({
        where: { id, tenantId, state: "presigned", expiresAt: { gt: new Date() } },
      });
      return row && toRow(row);
    },

    /** From now on a job may name it; its size, where it was not known before. False where it was not awaited any more. */
    async markStored(
      id: string,
      {
        sizeBytes,
        ...stored
      }: Pick<NewUpload, "storageKey" | "contentType" | "expiresAt" | "sha256"> & { sizeBytes?: number },
    ): Promise<boolean> {
      const where = { id, tenantId, state: "presigned" as const };
      const size = sizeBytes === undefined ? {} : { sizeBytes: BigInt(sizeBytes) };
      const { count } = await db.prisma.upload.updateMany({ where, data: { ...stored, ...size, state: "stored" } });
      return count === 1;
    },

    /** It came, and is of no use. */
    async discard(id: string): Promise<void> {
      await db.prisma.upload.updateMany({ where: { id, tenantId, state: "presigned" }, data: { state: "discarded" } });
    },
  };
}

function toRow(row: Upload): UploadRow {
  return { ...row, sizeBytes: Number(row.sizeBytes) };
}
