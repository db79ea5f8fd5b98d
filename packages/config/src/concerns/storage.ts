import { flag, oneOf, setting, text, url } from "../setting.ts";

/** Credentials are not ours to read: each cloud's own chain finds them. */
export const storageSettings = {
  STORAGE_BACKEND: setting(oneOf(["local", "s3", "gcs"]), { fallback: "local", description: "Where audio is kept" }),
  AUDIO_STORAGE_PATH: setting(text, { description: "Folder of local storage; absent: `audio` under SCRIBE_DATA_DIR" }),
  S3_BUCKET: setting(text, { description: "Bucket of S3 or its like; required with STORAGE_BACKEND=s3" }),
  S3_ENDPOINT: setting(url("http:", "https:"), { description: "Of MinIO and its like; absent: AWS" }),
  S3_REGION: setting(text, { description: "Absent: AWS_REGION; with S3_ENDPOINT us-east-1" }),
  S3_FORCE_PATH_STYLE: setting(flag, {
    description: "`endpoint/bucket/key` rather than `bucket.endpoint/key`; absent: true with S3_ENDPOINT",
  }),
  GCS_BUCKET: setting(text, { description: "Bucket of Google Cloud Storage; required with STORAGE_BACKEND=gcs" }),
} as const;
