export type {
  BlobStat,
  BlobStore,
  GetOptions,
  PresignedRequest,
  PutOptions,
  PutResult,
  StorageUsage,
} from "./blob-store.ts";
export { createLocalStore, type LocalStoreOptions } from "./local-store.ts";
export { StorageError, type StorageErrorCode } from "./storage-error.ts";
