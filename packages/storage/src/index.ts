export type {
  BlobStat,
  BlobStore,
  CopyResult,
  GetOptions,
  PresignedRequest,
  PutOptions,
  PutResult,
  StorageUsage,
} from "./blob-store.ts";
export type { GcsOptions } from "./gcs/gcs-bucket.ts";
export { createGcsStore } from "./gcs/gcs-store.ts";
export { createLocalStore, type LocalStoreOptions } from "./local-store.ts";
export { localAudioFolder, openStore, type StorageSettings } from "./open-store.ts";
export type { S3Options } from "./s3/s3-client.ts";
export { createS3Store } from "./s3/s3-store.ts";
export { StorageError, type StorageErrorCode } from "./storage-error.ts";
