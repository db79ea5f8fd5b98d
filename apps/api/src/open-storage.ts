import { join } from "node:path";
import type { Config } from "@scribe/config";
import { type BlobStore, createLocalStore } from "@scribe/storage";

/** The store that the configuration names. */
export function openStorage({ data }: Pick<Config, "data">): BlobStore {
  if (data.STORAGE_BACKEND !== "local") {
    throw new Error(`STORAGE_BACKEND=${data.STORAGE_BACKEND} is not available in this version.`);
  }
  return createLocalStore({ root: data.AUDIO_STORAGE_PATH ?? join(data.SCRIBE_DATA_DIR, "audio") });
}
