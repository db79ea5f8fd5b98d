import { uuidV7 } from "@scribe/domain";
import type { Upload } from "../generated/client.ts";
import type { Database } from "../open-database.ts";

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
}

/** A tenant's uploads: files that are here, or promised, and that jobs may name as their source. */
export function tenantUploads(db: Database, tenantId: string) {
  return {
    async create(upload: NewUpload): Promise<UploadRow> {
      const { id = uuidV7(), sizeBytes, ...rest } = upload;
      return toRow(await db.prisma.upload.create({ data: { id, tenantId, sizeBytes: BigInt(sizeBytes), ...rest } }));
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

    /** From now on a job may name it. False where it was not awaited any more. */
    async markStored(
      id: string,
      stored: Pick<NewUpload, "storageKey" | "contentType" | "expiresAt">,
    ): Promise<boolean> {
      const where = { id, tenantId, state: "presigned" as const };
      const { count } = await db.prisma.upload.updateMany({ where, data: { ...stored, state: "stored" } });
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
