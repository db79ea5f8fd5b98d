import type { Bucket, File } from "@google-cloud/storage";

export interface GcsOptions {
  readonly bucket: string;
  /** Absent: Google's. */
  readonly endpoint?: string | undefined;
}

/** Silence that ends a request; a rewrite between storage classes may keep silent for half a minute. */
export const SILENCE_MS = 60_000;
/** A chunk of an upload over a slow line. */
const CHUNK_LIMIT_MS = 300_000;
/** The client counts it from an upload's first byte, and refuses any retry beyond: uploads may last for hours. */
const RETRIES_END_AFTER_SECONDS = 86_400;

/**
 * Credentials come from Google's standard chain: GOOGLE_APPLICATION_CREDENTIALS, workload identity, the metadata server.
 * Loads the client (some 15 MB of memory that other stores do without); nothing connects yet.
 */
export async function openGcsBucket({ bucket, endpoint }: GcsOptions): Promise<Bucket> {
  const { IdempotencyStrategy, Storage } = await import("@google-cloud/storage");
  const storage = new Storage({
    ...(endpoint === undefined ? {} : { apiEndpoint: endpoint }),
    timeout: SILENCE_MS,
    retryOptions: {
      maxRetries: 4,
      maxRetryDelay: 16,
      totalTimeout: RETRIES_END_AFTER_SECONDS,
      // All that is asked here may be asked twice; the other strategy switches retries off for requests beside it.
      idempotencyStrategy: IdempotencyStrategy.RetryAlways,
    },
  });
  return storage.bucket(bucket);
}

/** Gives an upload's requests the limit that the client leaves out. */
export function limitChunks(file: File): void {
  // The client's types know no limit here, but it hands all options on.
  file.interceptors.push({ request: (options) => Object.assign(options, { timeout: CHUNK_LIMIT_MS }) as never });
}
