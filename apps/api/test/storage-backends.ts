import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlobStore, createGcsStore, createLocalStore, createS3Store } from "@scribe/storage";
import { startGcsStandIn, startS3Server } from "@scribe/testing";

export interface Backend {
  store: BlobStore;
  env: Record<string, string>;
  /** What the clouds' own chains read. */
  processEnv: Record<string, string>;
  stop(): Promise<void>;
}

/** Every kind of storage there is, each started anew. */
export const BACKENDS: Record<string, () => Promise<Backend>> = {
  async local() {
    const folder = await mkdtemp(join(tmpdir(), "scribe-files-"));
    return {
      store: createLocalStore({ root: folder }),
      env: { AUDIO_STORAGE_PATH: folder },
      processEnv: {},
      stop: () => rm(folder, { recursive: true, force: true }),
    };
  },
  async S3() {
    const server = await startS3Server();
    const { accessKeyId, secretAccessKey } = server.credentials;
    return {
      store: await createS3Store(server),
      env: { STORAGE_BACKEND: "s3", S3_BUCKET: server.bucket, S3_ENDPOINT: server.endpoint },
      processEnv: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
      stop: () => server.stop(),
    };
  },
  async "GCS (its stand-in)"() {
    const server = await startGcsStandIn();
    return {
      store: await createGcsStore(server),
      env: { STORAGE_BACKEND: "gcs", GCS_BUCKET: server.bucket },
      processEnv: { STORAGE_EMULATOR_HOST: server.endpoint, GOOGLE_APPLICATION_CREDENTIALS: server.keyFile },
      stop: () => server.stop(),
    };
  },
};
