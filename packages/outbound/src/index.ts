export { assertUrlAllowed } from "./assert-url-allowed.ts";
export {
  createOutboundClient,
  type Lookup,
  type OutboundClient,
  type OutboundDependencies,
  type OutboundRequest,
  type OutboundResponse,
} from "./client.ts";
export { createGuardedFetch, type GuardedFetchOptions } from "./guarded-fetch.ts";
export { OutboundError, type OutboundReason } from "./outbound-error.ts";
export { DEFAULT_LIMITS, type FetchLimits, type ForbiddenEndpoint, type OutboundPolicy } from "./policy.ts";
