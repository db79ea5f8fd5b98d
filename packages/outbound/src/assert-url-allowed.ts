import type { OutboundPolicy } from "./policy.ts";

export function assertUrlAllowed(_url: string | URL, _policy: OutboundPolicy): URL {
  throw new Error("not built yet");
}
