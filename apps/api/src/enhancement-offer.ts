import type { Config } from "@scribe/config";
import { RequestError } from "@scribe/domain";
import { assertUrlAllowed, OutboundError } from "@scribe/outbound";

/**
 * Refuses what needs a chat endpoint where there is none: waiting cures nothing, and the setting that is missing is named.
 * Under LOCAL_ONLY an endpoint outside is none; what a name leads to is checked again when the worker connects.
 */
export function requireChat({ enhancement, providers }: Config): void {
  for (const name of ["ENHANCED_AI_BASE_URL", "ENHANCED_AI_MODEL"] as const) {
    if (enhancement[name] === undefined) throw missing(`${name} is not set.`);
  }
  if (!providers.LOCAL_ONLY) return;
  try {
    // Any port: it is the operator's own choice.
    assertUrlAllowed(enhancement.ENHANCED_AI_BASE_URL ?? "", { allowPrivateNetworks: INSIDE, privateOnly: true });
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    throw missing("LOCAL_ONLY is set, and ENHANCED_AI_BASE_URL names an address outside.");
  }
}

/** Every literal address that is not on the open internet. */
const INSIDE = ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"];

function missing(why: string): RequestError {
  return new RequestError("service_unavailable", `Enhancement is not available here: ${why}`);
}
