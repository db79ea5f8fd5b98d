import type { S3Client } from "@aws-sdk/client-s3";

export interface S3Options {
  readonly bucket: string;
  /** Of MinIO and its like; absent: AWS. */
  readonly endpoint?: string | undefined;
  /** Absent: what AWS' own settings say; with an endpoint `us-east-1`. */
  readonly region?: string | undefined;
  /** `endpoint/bucket/key` rather than `bucket.endpoint/key`; default: where there is an endpoint. */
  readonly forcePathStyle?: boolean | undefined;
  /** Absent: AWS' standard chain (environment, profile, web identity, container, instance). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
}

/** Silence that ends a request; a copy of some gigabytes may keep silent for minutes. */
export const SILENCE_MS = 60_000;
const COPY_SILENCE_MS = 600_000;

export type S3Commands = typeof import("@aws-sdk/client-s3");

export interface S3Connection {
  readonly bucket: string;
  readonly client: S3Client;
  /** For requests that the store answers only when all is done. */
  readonly patientClient: S3Client;
  readonly commands: S3Commands;
  close(): void;
}

/** Loads the SDK (some 40 MB of memory that local storage does without) and makes its clients; nothing connects yet. */
export async function openS3({
  bucket,
  endpoint,
  region,
  forcePathStyle,
  credentials,
}: S3Options): Promise<S3Connection> {
  const commands = await import("@aws-sdk/client-s3");
  const where = region ?? (endpoint === undefined ? undefined : "us-east-1");
  const makeClient = (requestTimeout: number) =>
    new commands.S3Client({
      ...(where === undefined ? {} : { region: where }),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
      forcePathStyle: forcePathStyle ?? endpoint !== undefined,
      // By default the SDK adds checksums that other stores, and addresses signed before the bytes are known, refuse.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      maxAttempts: 4,
      requestHandler: { connectionTimeout: 10_000, requestTimeout, throwOnRequestTimeout: true },
    });
  const [client, patientClient] = [makeClient(SILENCE_MS), makeClient(COPY_SILENCE_MS)];
  const close = () => {
    client.destroy();
    patientClient.destroy();
  };
  return { bucket, client, patientClient, commands, close };
}
