import { basename, isAbsolute, resolve } from "node:path";
import { JobError } from "@scribe/domain";

export interface ModelPlaces {
  /** Folder of bundled and downloaded models, a folder each. */
  modelDir: string;
  /** Names or folders that the operator offers; nothing else is opened. */
  offered: readonly string[];
}

/** The folder of a model by the name that callers use: an entry of the operator's list, or its last path segment. */
export function findModel(name: string, { modelDir, offered }: ModelPlaces): string {
  const entry =
    offered.find((candidate) => candidate === name) ?? offered.find((candidate) => basename(candidate) === name);
  if (entry === undefined) {
    throw new JobError("model_unavailable", `The model "${name}" is not offered here.`, { retryable: false });
  }
  return isAbsolute(entry) || entry.startsWith(".") ? resolve(entry) : resolve(modelDir, entry);
}
