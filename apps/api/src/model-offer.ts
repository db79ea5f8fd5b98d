import { basename } from "node:path";
import { RequestError } from "@scribe/domain";

/** The models that callers may name: the ids that jobs carry and workers know. */
export interface ModelOffer {
  readonly ids: readonly string[];
  readonly defaultId: string;
}

/** A model is set as a name or a folder; callers know it by the folder's last part. */
function modelId(nameOrFolder: string): string {
  return basename(nameOrFolder);
}

export function readModelOffer(speech: { SCRIBE_MODEL: string; SCRIBE_MODELS: readonly string[] }): ModelOffer {
  const ids = [speech.SCRIBE_MODEL, ...speech.SCRIBE_MODELS].map(modelId);
  return { ids: [...new Set(ids)], defaultId: modelId(speech.SCRIBE_MODEL) };
}

/** The id that a job gets for what its caller asked; throws `unknown_model`. */
export function chooseModel(offer: ModelOffer, asked: string | undefined): string {
  if (asked === undefined) return offer.defaultId;
  if (offer.ids.includes(asked)) return asked;
  throw new RequestError("unknown_model", "There is no such model here; GET /api/v1/models lists those there are.", {
    errors: [{ path: "model", message: `must be one of: ${offer.ids.join(", ")}` }],
  });
}
