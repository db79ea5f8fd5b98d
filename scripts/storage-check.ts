// `npm run storage:check -- --backend s3|gcs` runs what every store promises against the bucket that the settings name
// (S3_BUCKET and its like, GCS_BUCKET), under a prefix of its own. `--large-bytes` is the size of its largest object.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { backend: { type: "string" }, "large-bytes": { type: "string" } } });
const backend = values.backend ?? process.env.STORAGE_BACKEND;
if (backend !== "s3" && backend !== "gcs") {
  console.error("Usage: npm run storage:check -- --backend s3|gcs [--large-bytes 1073741824]");
  process.exit(2);
}
const bucket = backend === "s3" ? "S3_BUCKET" : "GCS_BUCKET";
if (!process.env[bucket]) {
  console.error(`${bucket} is needed; credentials come from the cloud's own chain.`);
  process.exit(2);
}
const root = join(import.meta.dirname, "..");
const large = values["large-bytes"];
const { status } = spawnSync(
  process.execPath,
  [
    ...["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
    ...[join(root, "node_modules/jest/bin/jest.js"), "--runInBand", "packages/storage/test/real.bucket"],
  ],
  {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, SCRIBE_TEST_BUCKET: backend, ...(large && { SCRIBE_TEST_LARGE_BYTES: large }) },
  },
);
process.exit(status ?? 1);
