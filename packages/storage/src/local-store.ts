import type { BlobStore } from "./blob-store.ts";

export interface LocalStoreOptions {
  /** Made where it is missing. */
  readonly root: string;
  /** A put that would leave less than this free on the disk is refused with `insufficient_storage`. Default 0. */
  readonly reserveBytes?: number;
}

export function createLocalStore(_options: LocalStoreOptions): BlobStore {
  throw new Error("not built yet");
}
