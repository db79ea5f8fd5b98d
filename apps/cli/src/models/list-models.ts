import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Config } from "@scribe/config";
import { hubNameOf } from "@scribe/domain";
import { listCached, modelName, openHub, parseModelId } from "@scribe/speech";

const BUNDLED = resolve(import.meta.dirname, "../../../../models");

export interface Model {
  /** What SCRIBE_MODEL may say. */
  name: string;
  default: boolean;
  offered: boolean;
  bytes: number;
  folder: string;
  /** Where it came from. */
  source: "bundled" | "folder" | "hub";
  revision: string | null;
}

/** Every model that is on this machine and can be run: bundled ones, the operator's folders, those of the hub. */
export async function listModels({ data, speech }: Config): Promise<Model[]> {
  const hub = openHub(speech, resolve(data.SCRIBE_DATA_DIR));
  const entries = [speech.SCRIBE_MODEL, ...speech.SCRIBE_MODELS];
  const usage = (name: string, folder: string) => {
    const named = (entry: string) =>
      entry === name ||
      entry === folder ||
      (parseModelId(hubNameOf(entry, speech.SCRIBE_MODEL_NAMES))?.repo ?? modelName(entry)) === name;
    return { default: named(speech.SCRIBE_MODEL), offered: entries.some(named) };
  };
  const folders = [
    ...foldersIn(BUNDLED).map((folder) => ({ folder, source: "bundled" as const })),
    ...foldersIn(hub.cacheFolder).map((folder) => ({ folder, source: "folder" as const })),
    ...entries
      .filter((entry) => parseModelId(entry) === null && /^[./]/.test(entry))
      .map((entry) => ({ folder: resolve(entry), source: "folder" as const })),
  ];
  const local = folders
    .filter(({ folder }) => isWhisper(folder))
    .map(({ folder, source }) => {
      const name = modelName(folder);
      return { name, ...usage(name, folder), bytes: folderBytes(folder), folder, source, revision: null };
    });
  const cached = await Promise.all([hub.cacheFolder, ...(hub.alsoLookIn ?? [])].map(listCached));
  const fetched = cached
    .flat()
    .filter(({ folder }) => isWhisper(folder))
    .map(({ repo, revisions, commit, folder, bytes }) => ({
      ...{ name: repo, ...usage(repo, folder), bytes, folder },
      source: "hub" as const,
      revision: revisions[0] ?? commit,
    }));
  return [...local, ...fetched];
}

function foldersIn(parent: string): string[] {
  try {
    return readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(parent, entry.name));
  } catch {
    return [];
  }
}

/** A model folder is one with a Whisper's `config.json`. */
function isWhisper(folder: string): boolean {
  try {
    return JSON.parse(readFileSync(join(folder, "config.json"), "utf8")).model_type === "whisper";
  } catch {
    return false;
  }
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
