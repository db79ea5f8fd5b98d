import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { chooseFiles, type WantedFiles } from "./choose-files.ts";
import type { ModelId } from "./model-id.ts";

/**
 * The hub's own cache, as its Python library lays it out: `models--owner--name/` with `blobs/<hash>`, `refs/<revision>`
 * (a commit) and `snapshots/<commit>/<file>` (links to blobs). Either may use what the other has fetched.
 */
export function repoFolder(cacheFolder: string, repo: string): string {
  return join(cacheFolder, `models--${repo.replace("/", "--")}`);
}

export type CachedModel = { repo: string; revisions: string[]; commit: string; folder: string; bytes: number };

const COMMIT = /^[0-9a-f]{40}$/;

/** The folder of a model that is here whole, or null. */
export async function findCached(
  cacheFolder: string,
  { repo, revision }: ModelId,
  wanted?: WantedFiles,
): Promise<string | null> {
  const root = repoFolder(cacheFolder, repo);
  const commit = COMMIT.test(revision) ? revision : (await readText(join(root, "refs", revision)))?.trim();
  if (commit === undefined || !COMMIT.test(commit)) return null;
  const folder = join(root, "snapshots", commit);
  return (await isWhole(folder, wanted)) ? folder : null;
}

async function isWhole(folder: string, wanted?: WantedFiles): Promise<boolean> {
  const names = await filesIn(folder);
  try {
    return chooseFiles(names, wanted).length > 0;
  } catch {
    return false;
  }
}

/** Names of what is really there: a link to a blob that is gone does not count. */
async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const there = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (entry) => entry.isFile(),
        () => false,
      ),
    ),
  );
  return names.filter((_, at) => there[at]).map((name) => name.replaceAll("\\", "/"));
}

/** Lets `snapshots/<commit>/<name>` lead to a blob; where links cannot be made, the blob itself goes there. */
export async function linkFile(root: string, commit: string, name: string, blob: string): Promise<void> {
  const path = join(root, "snapshots", commit, name);
  await mkdir(dirname(path), { recursive: true });
  const target = relative(dirname(path), blob);
  if ((await readlink(path).catch(() => null)) === target) return;
  const fresh = `${path}.${randomUUID()}`;
  try {
    await symlink(target, fresh);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
    await rename(blob, fresh);
  }
  await rename(fresh, path);
}

export async function writeRef(root: string, revision: string, commit: string): Promise<void> {
  if (COMMIT.test(revision)) return;
  const path = join(root, "refs", revision);
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}.${randomUUID()}`;
  await writeFile(fresh, commit);
  await rename(fresh, path);
}

/** Every model of the cache that can be run, whoever fetched it. */
export async function listCached(cacheFolder: string): Promise<CachedModel[]> {
  const models: CachedModel[] = [];
  for (const entry of await readdir(cacheFolder).catch(() => [])) {
    const [, owner, name] = /^models--(.+?)--(.+)$/.exec(entry) ?? [];
    if (owner === undefined || name === undefined) continue;
    const root = join(cacheFolder, entry);
    const refs = await readRefs(root);
    for (const commit of await readdir(join(root, "snapshots")).catch(() => [])) {
      const folder = join(root, "snapshots", commit);
      if (!(await isWhole(folder))) continue;
      const sizes = await Promise.all(
        (await filesIn(folder)).map(async (file) => (await stat(join(folder, file))).size),
      );
      const revisions = refs.filter((ref) => ref.commit === commit).map((ref) => ref.revision);
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      models.push({ repo: `${owner}/${name}`, revisions, commit, folder, bytes });
    }
  }
  return models;
}

/** Removes a model with all its revisions; whether there was one. */
export async function removeCached(cacheFolder: string, repo: string): Promise<boolean> {
  const root = repoFolder(cacheFolder, repo);
  if ((await stat(root).catch(() => null)) === null) return false;
  // In one step, so that nobody finds half of it.
  const away = `${root}.removed-${randomUUID()}`;
  await rename(root, away);
  await rm(away, { recursive: true, force: true });
  return true;
}

async function readRefs(root: string): Promise<{ revision: string; commit: string }[]> {
  const names = await readdir(join(root, "refs"), { recursive: true }).catch(() => []);
  const refs = await Promise.all(
    names.map(async (revision) => ({ revision, commit: (await readText(join(root, "refs", revision)))?.trim() ?? "" })),
  );
  return refs.filter(({ commit }) => COMMIT.test(commit));
}

async function readText(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}
