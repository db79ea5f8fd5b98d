import { mkdir, readFile, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { chooseFiles, type WantedFiles } from "./choose-files.ts";
import { downloadFile } from "./download-file.ts";
import type { Hub, HubProgress } from "./hub.ts";
import { findCached, linkFile, repoFolder, writeRef } from "./hub-cache.ts";
import { HubError } from "./hub-error.ts";
import { type HubFile, listHubFiles } from "./list-files.ts";
import type { ModelId } from "./model-id.ts";
import { withLock } from "./with-lock.ts";

export type FetchModelOptions = {
  hub: Hub;
  files?: WantedFiles;
  /** Asks the hub what the revision stands for now, even where the model is here. */
  refresh?: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: HubProgress) => void;
  /** Another process is fetching the same model. */
  onWait?: () => void;
};

/**
 * The folder of a model of the hub; fetched where it is not here whole. Any number of processes may ask at once: one
 * fetches, the others wait for it.
 *
 * @throws HubError, the signal's reason
 */
export async function fetchModel(id: ModelId, options: FetchModelOptions): Promise<string> {
  const { hub, files, refresh, signal } = options;
  const look = async () => {
    for (const folder of [hub.cacheFolder, ...(hub.alsoLookIn ?? [])]) {
      const found = await findCached(folder, id, files);
      if (found !== null) return found;
    }
    return null;
  };
  const here = refresh && !hub.offline ? null : await look();
  if (here !== null) return here;
  if (hub.offline) throw new HubError("unreachable", `${id.repo} is not here, and HF_HUB_OFFLINE forbids to fetch it`);
  const lock = join(hub.cacheFolder, ".locks", `models--${id.repo.replace("/", "--")}`, "scribe.lock");
  let waited = false;
  const onWait = () => {
    waited = true;
    options.onWait?.();
  };
  return await withLock(
    lock,
    async () => {
      // Whoever was waited for has fetched it, as a rule.
      const found = waited || !refresh ? await look() : null;
      return found ?? (await fetchFiles(id, options));
    },
    { signal, onWait },
  );
}

async function fetchFiles(id: ModelId, { hub, files: wanted, signal, onProgress }: FetchModelOptions): Promise<string> {
  const { commit, files } = await listHubFiles(hub, id, signal);
  const names = chooseFiles(
    files.map(({ name }) => name),
    wanted,
  );
  const chosen = names.map((name) => files.find((file) => file.name === name) as HubFile);
  const root = repoFolder(hub.cacheFolder, id.repo);
  await mkdir(join(root, "blobs"), { recursive: true });
  const totalBytes = chosen.reduce((sum, { bytes }) => sum + bytes, 0);
  await needRoom(root, chosen);
  let before = 0;
  for (const file of chosen) {
    const blob = join(root, "blobs", file.hash.hex);
    const onBytes = (bytes: number) => onProgress?.({ file: file.name, bytes: before + bytes, totalBytes });
    if ((await stat(blob).catch(() => null))?.size !== file.bytes) {
      await downloadFile(hub, { repo: id.repo, commit, file }, blob, { signal, onBytes });
    }
    onBytes(file.bytes);
    before += file.bytes;
    if (file.name === "config.json") await needWhisper(blob);
    await linkFile(root, commit, file.name, blob);
  }
  await writeRef(root, id.revision, commit);
  return join(root, "snapshots", commit);
}

/** Before gigabytes of something else are fetched. */
async function needWhisper(configPath: string): Promise<void> {
  let type: unknown;
  try {
    type = (JSON.parse(await readFile(configPath, "utf8")) as { model_type?: unknown }).model_type;
  } catch (error) {
    throw new HubError("unfit", "the model's config.json is not JSON", error);
  }
  if (type !== "whisper") throw new HubError("unfit", `the model is a ${String(type)}, not a Whisper`);
}

async function needRoom(root: string, files: readonly HubFile[]): Promise<void> {
  const missing = await Promise.all(
    files.map(async ({ bytes, hash }) => ((await stat(join(root, "blobs", hash.hex)).catch(() => null)) ? 0 : bytes)),
  );
  const needed = missing.reduce((sum, bytes) => sum + bytes, 0);
  const { bavail, bsize } = await statfs(root);
  if (bavail * bsize >= needed) return;
  const [have, want] = [bavail * bsize, needed].map((bytes) => Math.ceil(bytes / 1e6));
  throw new HubError("disk_full", `the model needs ${want} MB of disk, ${have} MB are free`);
}
