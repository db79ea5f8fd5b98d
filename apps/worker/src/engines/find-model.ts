import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { JobError } from "@scribe/domain";
import { modelName } from "@scribe/speech";

export interface ModelPlaces {
  /** Folder of the operator's models, a folder each. */
  modelDir: string;
  /** Where those lie that come with the installation. */
  bundledDir?: string;
  /** Names, folders or ids of the hub that the operator offers; nothing else is opened. */
  offered: readonly string[];
}

/** What the operator's list says for the name that callers use: an entry of it, or an entry's last part. */
export function offeredEntry(name: string, offered: readonly string[]): string {
  const entry =
    offered.find((candidate) => candidate === name) ?? offered.find((candidate) => modelName(candidate) === name);
  if (entry !== undefined) return entry;
  throw new JobError("model_unavailable", `The model "${name}" is not offered here.`, { retryable: false });
}

/** The folder of a model by the name that callers use. */
export function findModel(name: string, { modelDir, bundledDir, offered }: ModelPlaces): string {
  const entry = offeredEntry(name, offered);
  if (isAbsolute(entry) || entry.startsWith(".")) return resolve(entry);
  const folder = resolve(modelDir, entry);
  return bundledDir === undefined || existsSync(folder) ? folder : resolve(bundledDir, entry);
}
