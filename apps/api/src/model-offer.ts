import { basename } from "node:path";
import { hubNameOf, RequestError } from "@scribe/domain";

/** The models that callers may name: the ids that jobs carry and workers know. */
export interface ModelOffer {
  readonly ids: readonly string[];
  readonly defaultId: string;
  /** What a model is set as, where that is not its id, and its name on the hub: id. */
  readonly aliases: ReadonlyMap<string, string>;
  /** The operator's own names of models of the hub. */
  readonly names: Readonly<Record<string, string>>;
}

/** A model is set as a name, a folder or an id of the hub; callers know it by the last part, without a revision. */
function modelId(setAs: string): string {
  return basename(setAs.replace(/^([\w.-]+\/[\w.-]+)@.+$/, "$1"));
}

export function readModelOffer(speech: {
  SCRIBE_MODEL: string;
  SCRIBE_MODELS: readonly string[];
  SCRIBE_MODEL_NAMES?: Readonly<Record<string, string>>;
}): ModelOffer {
  const names = speech.SCRIBE_MODEL_NAMES ?? {};
  const entries = [speech.SCRIBE_MODEL, ...speech.SCRIBE_MODELS];
  // A folder's path is nobody's business; an id of the hub is known to the world, with its revision or without.
  const hubIds = entries.filter((entry) => /^[\w.-]+\/[\w.-]+(@.+)?$/.test(entry) && !entry.startsWith("."));
  const aliases = hubIds.flatMap((entry) =>
    [entry, entry.replace(/@.+$/, "")].map((name) => [name, modelId(entry)] as const),
  );
  // The first one set under a name of the hub is the one that the name means.
  const known = entries
    .map((entry) => [hubNameOf(entry.replace(/@.+$/, ""), names), modelId(entry)] as const)
    .reverse();
  return {
    ids: [...new Set(entries.map(modelId))],
    defaultId: modelId(speech.SCRIBE_MODEL),
    aliases: new Map([...known.filter(([name]) => name.includes("/") && !/^[./]/.test(name)), ...aliases]),
    names,
  };
}

/** The id that a job gets for what its caller asked; throws `unknown_model`. */
export function chooseModel(offer: ModelOffer, asked: string | undefined): string {
  if (asked === undefined) return offer.defaultId;
  if (offer.ids.includes(asked)) return asked;
  const alias = offer.aliases.get(asked) ?? offer.aliases.get(hubNameOf(asked, offer.names));
  if (alias !== undefined) return alias;
  throw new RequestError("unknown_model", "There is no such model here; GET /api/v1/models lists those there are.", {
    errors: [{ path: "model", message: `must be one of: ${offer.ids.join(", ")}` }],
  });
}
