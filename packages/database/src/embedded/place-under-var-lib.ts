import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Where root keeps what its own folders hide from the account that Postgres runs as. */
const SHARED_STATE = "/var/lib/scribe-rabbit";
const CLONE = resolve(import.meta.dirname, "../../../..");

/** The folder below /var/lib that belongs to this clone: named by the hash of its place. */
export function placeUnderVarLib(): string {
  return join(SHARED_STATE, createHash("sha256").update(CLONE).digest("hex").slice(0, 16));
}

/** Makes that folder, open to read, with a note inside of the clone that it belongs to. */
export function makePlaceUnderVarLib(): string {
  const place = placeUnderVarLib();
  try {
    for (const folder of [SHARED_STATE, place]) {
      mkdirSync(folder, { recursive: true });
      chmodSync(folder, 0o755);
    }
    writeFileSync(join(place, "clone"), `${CLONE}\n`);
  } catch (cause) {
    throw new Error(
      `Postgres cannot run as root, and ${CLONE} is closed to other users, so its files go to ${place}; ` +
        `that cannot be written: ${(cause as Error).message}`,
      { cause },
    );
  }
  return place;
}
