import type { DeliveryStatus } from "../generated/client.ts";
import type { Database } from "../open-database.ts";

export interface DeliveryFilter {
  jobId?: string | undefined;
  status?: DeliveryStatus | undefined;
  limit: number;
}

/** A tenant's deliveries with their tries, newest first. */
export function tenantDeliveries(db: Database, tenantId: string) {
  return {
    list: async ({ jobId, status, limit }: DeliveryFilter) =>
      await db.prisma.webhookDelivery.findMany({
        where: { tenantId, ...(jobId === undefined ? {} : { jobId }), ...(status === undefined ? {} : { status }) },
        orderBy: [{ createdAt: "desc" }, { id: "desc" }],
        take: limit,
        omit: { body: true, secretEncrypted: true },
        include: { tries: { orderBy: { at: "asc" } } },
      }),
  };
}

export type DeliveryRow = Awaited<ReturnType<ReturnType<typeof tenantDeliveries>["list"]>>[number];
