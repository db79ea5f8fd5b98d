import type { Attack } from "./attack.ts";
import { derivedRequests } from "./attacks/derived-requests.ts";
import { exhaustion } from "./attacks/exhaustion.ts";
import { foreignWebhooks } from "./attacks/foreign-webhooks.ts";
import { insideAddresses } from "./attacks/inside-addresses.ts";
import { keys } from "./attacks/keys.ts";
import { leakedSecrets } from "./attacks/leaked-secrets.ts";
import { cagedMedia, mediaThroughApi } from "./attacks/mutated-media.ts";
import { tenantMatrix } from "./attacks/tenant-matrix.ts";

/** In the order of the table; what searches all that was said comes last. */
export const ATTACKS: readonly Attack[] = [
  insideAddresses,
  foreignWebhooks,
  cagedMedia,
  mediaThroughApi,
  derivedRequests,
  tenantMatrix,
  exhaustion,
  keys,
  leakedSecrets,
];
