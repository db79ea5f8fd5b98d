import { type Address, type Network, parseAddress, parseNetwork } from "./classify-address.ts";
import type { ForbiddenEndpoint, OutboundPolicy } from "./policy.ts";

export interface CompiledPolicy {
  readonly publicPorts: ReadonlySet<number>;
  readonly ownPorts: ReadonlySet<number>;
  readonly openNetworks: readonly Network[];
  readonly privateOnly: boolean;
  readonly forbidden: readonly { readonly host: string; readonly address: Address | null; readonly port?: number }[];
}

const compiled = new WeakMap<OutboundPolicy, CompiledPolicy>();

/** Throws a TypeError where a network or a port of the policy is malformed: that is for the start, not for a request. */
export function compilePolicy(policy: OutboundPolicy): CompiledPolicy {
  const known = compiled.get(policy);
  if (known) return known;
  const result: CompiledPolicy = {
    publicPorts: new Set([80, 443, ...(policy.allowedPorts ?? [])].map(checkPort)),
    ownPorts: new Set((policy.ownPorts ?? []).map(checkPort)),
    privateOnly: policy.privateOnly ?? false,
    openNetworks: (policy.allowPrivateNetworks ?? []).map(parseNetwork),
    forbidden: (policy.forbidden ?? []).map(compileForbidden),
  };
  compiled.set(policy, result);
  return result;
}

function compileForbidden({ host, port }: ForbiddenEndpoint) {
  const name = normalizeHost(host);
  return { host: name, address: parseAddress(name), ...(port === undefined ? {} : { port: checkPort(port) }) };
}

function checkPort(port: number): number {
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new TypeError(`${port} is no port.`);
}

/** One spelling for a host: no brackets, no trailing full stops, lower case. */
export function normalizeHost(host: string): string {
  return host
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.+$/, "")
    .toLowerCase();
}
