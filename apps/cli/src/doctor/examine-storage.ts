import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import type { Config } from "@scribe/config";
import { type BlobStore, localAudioFolder, openStore } from "@scribe/storage";
import { type Finding, ok, wordsOf, wrong } from "./finding.ts";

const LIMIT_MS = 15_000;

/** Writes, reads and removes an object. */
export async function examineStorage({ data }: Pick<Config, "data">, open = openStore): Promise<Finding[]> {
  const store = await open(data);
  const mend =
    store.backend === "local"
      ? `chown -R "$(id -u)" ${localAudioFolder(data)}   # or another AUDIO_STORAGE_PATH`
      : `npm run storage:check -- --backend ${store.backend}   # says which right is missing: docs/storage.md`;
  try {
    const there = await tryOut(store);
    return [
      there
        ? ok("storage", `${store.backend}: written, read and removed`)
        : wrong("storage", `${store.backend}: what was written is not there`, mend),
    ];
  } catch (error) {
    return [wrong("storage", `${store.backend}: ${wordsOf(error)}`, mend)];
  } finally {
    await store.close();
  }
}

async function tryOut(store: BlobStore): Promise<boolean> {
  const key = `doctor/${randomUUID()}`;
  const signal = AbortSignal.timeout(LIMIT_MS);
  await store.put(key, Readable.from([Buffer.from("x")]), { signal });
  const there = (await store.stat(key, { signal }))?.bytes === 1;
  await store.remove(key, { signal });
  return there;
}
