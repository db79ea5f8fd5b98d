import type { BlobStat, StorageUsage } from "./blob-store.ts";

/** What a store without a disk of its own keeps. */
export async function countUsage(
  backend: StorageUsage["backend"],
  objects: AsyncIterable<BlobStat>,
): Promise<StorageUsage> {
  let count = 0;
  let bytes = 0;
  for await (const object of objects) {
    count += 1;
    bytes += object.bytes;
  }
  return { backend, objects: count, bytes };
}
