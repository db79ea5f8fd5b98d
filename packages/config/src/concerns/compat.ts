import { z } from "zod";
import { flag, list, setting, text, whole } from "../setting.ts";

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
  COMPAT_ANONYMOUS_TENANT: setting(text, {
    description:
      "Name of the tenant that callers behind `/compat/` act for where they show no key, with scope transcribe, if they come from a private address, call us by an inside name or PUBLIC_URL's, and through no proxy that TRUST_PROXY does not name; absent: a key is needed",
  }),
  COMPAT_NOTES_MINUTES: setting(whole(1, 1_000_000), {
    fallback: "120",
    description: "Jobs of `/compat/notes` are erased with all that came of them after this time, in whatever state",
  }),
  COMPAT_SAAS_TOKEN_MINUTES: setting(whole(1, 43_200), {
    fallback: "1440",
    description:
      "How long a token of `/compat/saas` is good, whose callers know no refreshing; what ends its session ends it at once",
  }),
  SCRIBE_ENABLE_STUB: setting(flag, {
    fallback: "false",
    description: "For rehearsals of older clients: a text file that is sent to `/compat/` is its own transcript",
  }),
};
