import type { Api } from "../../api.ts";
import { chooseModel } from "../../model-offer.ts";

/**
 * The model that a client of another service gets: what the operator's table says, else one of ours by its own name, else
 * the default where the name is one that the service itself knows.
 *
 * @throws RequestError `unknown_model`
 */
export function foreignModel({ config, models }: Api, asked: string | undefined, known: RegExp): string {
  if (asked === undefined || asked === "") return models.defaultId;
  const alias = config.compat.COMPAT_MODEL_ALIASES.get(asked);
  if (alias !== undefined) return chooseModel(models, alias);
  return known.test(asked) ? models.defaultId : chooseModel(models, asked);
}
