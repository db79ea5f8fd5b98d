import { z } from "zod";
import { list, setting } from "../setting.ts";

/** `whisper-1=large-v3, nova-3=ivrit` as a map; names of other services in lower case. */
const aliases = list
  .pipe(z.array(z.string().regex(/^[^=\s]+\s*=\s*[^=\s]+$/, "must be a list of `name=model`")))
  .transform((pairs) => new Map(pairs.map((pair) => pair.split("=").map((part) => part.trim()) as [string, string])));

/** What callers of other services find behind their own front doors. */
export const compatSettings = {
  COMPAT_MODEL_ALIASES: setting(aliases, {
    fallback: "",
    description:
      "Models that names of other services stand for, such as `whisper-1=large-v3,nova-3=large-v3-turbo`; those not named here get the default model",
  }),
};
