import { networkInterfaces } from "node:os";
import { type Address, classifyAddress, isIn, parseAddress, parseNetwork } from "./classify-address.ts";
import type { CompiledPolicy } from "./compile-policy.ts";
import { OutboundError } from "./outbound-error.ts";

/** An address of our own servers, with the port where one was given. */
export interface ForbiddenAddress {
  readonly address: Address;
  readonly port?: number;
}

const LOOPBACK = ["127.0.0.0/8", "::1/128", "0.0.0.0/8"].map(parseNetwork);

/**
 * Whether a connection to this very address and port may be opened. Returns whether it lies inside; throws
 * `url_not_allowed`.
 */
export function checkAddress(
  address: Address,
  port: number,
  policy: CompiledPolicy,
  forbidden: readonly ForbiddenAddress[],
): { isPrivate: boolean } {
  const kind = classifyAddress(address);
  if (kind === "never" || isForbidden(address, port, forbidden)) throw notAllowed();
  const mine = isThisMachine(address);
  if (policy.privateOnly && kind === "public" && !mine) throw notAllowed();
  if ((kind === "private" || mine) && policy.ownPorts.has(port)) throw notAllowed();
  if (isIn(address, policy.openNetworks)) {
    if (policy.ownPorts.has(port)) throw notAllowed();
    return { isPrivate: kind === "private" || mine };
  }
  if (kind === "private") throw notAllowed();
  if (!policy.publicPorts.has(port)) throw notAllowedPort();
  return { isPrivate: mine };
}

export function notAllowed(): OutboundError {
  return new OutboundError("address", "This address is not one that may be reached from here.");
}

export function notAllowedPort(): OutboundError {
  return new OutboundError("address", "This port is not one that may be reached from here.");
}

/** A server of ours on this machine is forbidden under every address that this machine has. */
function isForbidden(address: Address, port: number, forbidden: readonly ForbiddenAddress[]): boolean {
  return forbidden.some((entry) => {
    if (entry.port !== undefined && entry.port !== port) return false;
    return sameAddress(entry.address, address) || (isThisMachine(entry.address) && isThisMachine(address));
  });
}

function isThisMachine(address: Address): boolean {
  if (isIn(address, LOOPBACK)) return true;
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some((own) => {
      const parsed = parseAddress(own.address.split("%")[0]!);
      return parsed !== null && sameAddress(parsed, address);
    }),
  );
}

function sameAddress(one: Address, other: Address): boolean {
  return one.kind() === other.kind() && one.toNormalizedString() === other.toNormalizedString();
}
