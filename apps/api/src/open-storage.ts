import { join } from "node:path";
import type { Config } from "@scribe/config";
import { type BlobStore, createLocalStore } from "@scribe/storage";

/** Uploads are refused with 507 before the disk is full: what was accepted before needs room to be worked on. */
const RESERVE_BYTES = 512 * 1024 * 1024;

/** The store that the configuration names. */
export function openStorage({ data }: Pick<Config, "data">): BlobStore {
  if (data.STORAGE_BACKEND !== "local") {
    throw new Error(`STORAGE_BACKEND=${data.STORAGE_BACKEND} is not available in this version.`);
  }
  return createLocalStore({
    root: data.AUDIO_STORAGE_PATH ?? join(data.SCRIBE_DATA_DIR, "audio"),
    reserveBytes: RESERVE_BYTES,
  });
}
