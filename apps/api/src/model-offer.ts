import { basename } from "node:path";
import { RequestError } from "@scribe/domain";

/** The models that callers may name: the ids that jobs carry and workers know. */
export interface ModelOffer {
  readonly ids: readonly string[];
  readonly defaultId: string;
  /** What a model is set as, where that is not its id: id. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** A model is set as a name, a folder or an id of the hub; callers know it by the last part, without a revision. */
function modelId(setAs: string): string {
  return basename(setAs.replace(/^([\w.-]+\/[\w.-]+)@.+$/, "$1"));
}

export function readModelOffer(speech: { SCRIBE_MODEL: string; SCRIBE_MODELS: readonly string[] }): ModelOffer {
  const entries = [speech.SCRIBE_MODEL, ...speech.SCRIBE_MODELS];
  // A folder's path is nobody's business; an id of the hub is known to the world, with its revision or without.
  const hubIds = entries.filter((entry) => /^[\w.-]+\/[\w.-]+(@.+)?$/.test(entry) && !entry.startsWith("."));
  const aliases = hubIds.flatMap((entry) =>
    [entry, entry.replace(/@.+$/, "")].map((name) => [name, modelId(entry)] as const),
  );
  return {
    ids: [...new Set(entries.map(modelId))],
    defaultId: modelId(speech.SCRIBE_MODEL),
    aliases: new Map(aliases),
  };
}

/** The id that a job gets for what its caller asked; throws `unknown_model`. */
export function chooseModel(offer: ModelOffer, asked: string | undefined): string {
  if (asked === undefined) return offer.defaultId;
  if (offer.ids.includes(asked)) return asked;
  const alias = offer.aliases.get(asked);
  if (alias !== undefined) return alias;
  throw new RequestError("unknown_model", "There is no such model here; GET /api/v1/models lists those there are.", {
    errors: [{ path: "model", message: `must be one of: ${offer.ids.join(", ")}` }],
  });
}
