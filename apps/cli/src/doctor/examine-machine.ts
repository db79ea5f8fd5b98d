import { randomUUID } from "node:crypto";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Config } from "@scribe/config";
import { type Finding, ok, warning, wordsOf, wrong } from "./finding.ts";

const OLDEST_NODE = 24;
const ENOUGH_DISK_BYTES = 5 * 2 ** 30;

export function examineNode(version = process.versions.node): Finding {
  return Number(version.split(".")[0]) >= OLDEST_NODE
    ? ok("Node", version)
    : wrong("Node", `${version} is too old`, `npm run setup   # brings its own Node ${OLDEST_NODE}`);
}

/** Whether the data folder can be written by this user, and has room. */
export async function examineFolder({ data }: Pick<Config, "data">, look = freeBytes): Promise<Finding[]> {
  const folder = resolve(data.SCRIBE_DATA_DIR);
  const file = join(folder, `.doctor-${randomUUID()}`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(file, "x");
    await rm(file);
  } catch (error) {
    const mend = `chown -R "$(id -u)" ${folder}   # or another SCRIBE_DATA_DIR`;
    return [wrong("data folder", `${folder}: ${wordsOf(error)}`, mend)];
  }
  const bytes = await look(folder);
  const gibibytes = (bytes / 2 ** 30).toFixed(1);
  if (bytes >= ENOUGH_DISK_BYTES) {
    return [ok("data folder", `${folder} can be written`), ok("disk", `${gibibytes} GiB are free`)];
  }
  const mend = `df -h ${folder}   # then make room, or set SCRIBE_DATA_DIR`;
  return [
    ok("data folder", `${folder} can be written`),
    warning("disk", `only ${gibibytes} GiB are free in ${folder}`, mend),
  ];
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
