import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGcsStandIn, startProcess, startS3Server } from "@scribe/testing";
import { printTable } from "../print-table.ts";

interface Took {
  putMs: number;
  getMs: number;
  beforeBytes: number;
  growthBytes: number;
}

/** One large object through each store and back; S3 and GCS are servers in this process, which no network slows down. */
export async function storage({ megabytes }: { megabytes: number }): Promise<void> {
  const bytes = megabytes * 1024 * 1024;
  const folder = await mkdtemp(join(tmpdir(), "scribe-bench-storage-"));
  const s3 = await startS3Server();
  const gcs = await startGcsStandIn();
  const { endpoint, bucket, credentials } = s3;
  const stores = {
    "local disk": { kind: "local", root: folder },
    "S3 (s3rver)": { kind: "s3", endpoint, bucket, credentials },
    "GCS (stand-in)": { kind: "gcs", endpoint: gcs.endpoint, bucket: gcs.bucket },
  };
  try {
    const rows: string[][] = [];
    for (const [name, options] of Object.entries(stores)) {
      const child = startProcess(join(import.meta.dirname, "transfer.ts"), {
        STORE: JSON.stringify({ ...options, bytes }),
      });
      const { code } = await child.exit;
      if (code !== 0) throw new Error(`${name}: ${child.output()}`);
      const { putMs, getMs, beforeBytes, growthBytes } = JSON.parse(child.stdout()) as Took;
      const pace = (ms: number) => `${(megabytes / (ms / 1000)).toFixed(0)} MiB/s`;
      const size = (count: number) => `${(count / 2 ** 20).toFixed(0)} MiB`;
      rows.push([name, `${megabytes} MiB`, pace(putMs), pace(getMs), size(beforeBytes), size(growthBytes)]);
    }
    printTable(["store", "object", "put", "get", "memory before", "growth at most"], rows);
  } finally {
    await s3.stop();
    await gcs.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
