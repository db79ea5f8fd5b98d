import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { hubNameOf, JobError } from "@scribe/domain";
import { type ModelId, modelName, parseModelId, type WantedFiles } from "@scribe/speech";

export interface ModelPlaces {
  /** Folder of the operator's models, a folder each. */
  modelDir: string;
  /** Where those lie that come with the installation. */
  bundledDir?: string;
  /** Names, folders or ids of the hub that the operator offers; nothing else is opened. */
  offered: readonly string[];
  /** Further names of models of the hub: name → `owner/name`. */
  names?: Readonly<Record<string, string>>;
  /** Of a model of the hub, what is fetched. */
  files?: WantedFiles;
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

/** The hub's model that an entry of the operator's list means, by its id or by a name that is known for it. */
export function hubModel(entry: string, { names }: Pick<ModelPlaces, "names">): ModelId | null {
  return parseModelId(hubNameOf(entry, names));
}

/** Throws where the operator offers what is nowhere and can be fetched from nowhere: a slip that no job should have to find. */
export function needOffered(places: ModelPlaces): void {
  for (const entry of places.offered) {
    if (hubModel(entry, places) !== null || existsSync(findModel(entry, places))) continue;
    const looked = [places.modelDir, places.bundledDir].filter((folder) => folder !== undefined);
    throw new Error(
      `There is no model "${entry}" (SCRIBE_MODEL, SCRIBE_MODELS): no such folder, none of that name in ${looked.join(" or ")}, ` +
        "and no id of Hugging Face (owner/name). `npm run models -- list` shows what is here.",
    );
  }
}
