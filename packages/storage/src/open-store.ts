import { join, resolve } from "node:path";
import type { Config } from "@scribe/config";
import type { BlobStore } from "./blob-store.ts";
import { createGcsStore } from "./gcs/gcs-store.ts";
import { createLocalStore } from "./local-store.ts";
import { createS3Store } from "./s3/s3-store.ts";

export type StorageSettings = Pick<
  Config["data"],
  | "STORAGE_BACKEND"
  | "AUDIO_STORAGE_PATH"
  | "SCRIBE_DATA_DIR"
  | "S3_BUCKET"
  | "S3_ENDPOINT"
  | "S3_REGION"
  | "S3_FORCE_PATH_STYLE"
  | "GCS_BUCKET"
>;

/** The store that the configuration names; each loads only its own client, and none connects yet. `reserveBytes` is of a local disk. */
export async function openStore(
  settings: StorageSettings,
  { reserveBytes = 0 }: { reserveBytes?: number } = {},
): Promise<BlobStore> {
  switch (settings.STORAGE_BACKEND) {
    case "local":
      return createLocalStore({ root: localAudioFolder(settings), reserveBytes });
    case "s3":
      return await createS3Store({
        bucket: named("S3_BUCKET", settings.S3_BUCKET),
        endpoint: settings.S3_ENDPOINT,
        region: settings.S3_REGION,
        forcePathStyle: settings.S3_FORCE_PATH_STYLE,
      });
    case "gcs":
      return await createGcsStore({ bucket: named("GCS_BUCKET", settings.GCS_BUCKET) });
    default:
      throw new Error(`There is no storage ${settings.STORAGE_BACKEND satisfies never}.`);
  }
}

/** Where local storage lies; absolute. */
export function localAudioFolder(settings: Pick<StorageSettings, "AUDIO_STORAGE_PATH" | "SCRIBE_DATA_DIR">): string {
  return resolve(settings.AUDIO_STORAGE_PATH ?? join(settings.SCRIBE_DATA_DIR, "audio"));
}

function named(name: string, bucket: string | undefined): string {
  if (bucket !== undefined) return bucket;
  throw new Error(`${name} is needed`);
}
