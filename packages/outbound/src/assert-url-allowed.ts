import { checkAddress, type ForbiddenAddress, notAllowed, notAllowedPort } from "./check-address.ts";
import { isIn, parseAddress, parseNetwork } from "./classify-address.ts";
import { type CompiledPolicy, compilePolicy, normalizeHost } from "./compile-policy.ts";
import { OutboundError } from "./outbound-error.ts";
import type { OutboundPolicy } from "./policy.ts";

/** Names that clouds resolve to their metadata, wherever that lies. */
const METADATA_NAMES =
  /^(?:metadata|instance-data)$|(?:^|\.)(?:metadata\.google\.internal|metadata\.goog|instance-data\.ec2\.internal|metadata\.azure\.internal|metadata\.tencentyun\.com|metadata\.packet\.net|metadata\.platformequinix\.com|api\.metadata\.cloud\.ibm\.com)$/;

/**
 * Parses an address that a stranger gave and refuses what is plainly not for us: other schemes, credentials, ports that
 * are not open, literal addresses inside in any spelling (the URL parser makes one of all), names of this machine and of
 * metadata. Asks no name server: what a name leads to is checked again when it is connected to.
 * Throws `url_not_allowed`; returns the parsed URL.
 */
export function assertUrlAllowed(url: string | URL, policy: OutboundPolicy): URL {
  const parsed = parse(url);
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    throw new OutboundError("address", "Only http and https addresses may be reached.");
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw new OutboundError("address", "An address must not carry a user name or password.");
  }
  checkHost(normalizeHost(parsed.hostname), portOf(parsed), compilePolicy(policy));
  return parsed;
}

/** The port that a URL leads to. */
export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

function parse(url: string | URL): URL {
  const parsed = URL.parse(String(url));
  if (parsed === null || parsed.hostname === "")
    throw new OutboundError("address", "This is no address of a web server.");
  return parsed;
}

function checkHost(host: string, port: number, policy: CompiledPolicy): void {
  const address = parseAddress(host);
  if (address !== null) {
    checkAddress(address, port, policy, policy.forbidden.filter(hasAddress));
    return;
  }
  if (host === "" || host.includes(":") || METADATA_NAMES.test(host)) throw notAllowed();
  if (policy.forbidden.some((entry) => entry.host === host && (entry.port ?? port) === port)) throw notAllowed();
  if (isLocalName(host) && !LOOPBACK_ADDRESSES.some((loopback) => isIn(loopback, policy.openNetworks)))
    throw notAllowed();
  // Where a private network is open, only the name's address tells which ports are.
  if (policy.openNetworks.length === 0 && !policy.publicPorts.has(port)) throw notAllowedPort();
}

const LOOPBACK_ADDRESSES = ["127.0.0.1", "::1"].map((text) => parseNetwork(text)[0]);

/** RFC 6761, section 6.3, and what `/etc/hosts` often adds. */
function isLocalName(host: string): boolean {
  return /(?:^|\.)localhost$|^localhost\.localdomain$|^ip6-(?:localhost|loopback)$|^loopback$/.test(host);
}

function hasAddress(entry: CompiledPolicy["forbidden"][number]): entry is typeof entry & ForbiddenAddress {
  return entry.address !== null;
}
