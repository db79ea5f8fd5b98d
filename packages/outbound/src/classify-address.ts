import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

export type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type Network = readonly [Address, number];

/**
 * `public`: anyone's. `private`: inside, an operator may open it. `never`: no one has audio or a receiver there, or the
 * machine's own secrets lie there.
 */
export type AddressKind = "public" | "private" | "never";

/** IANA's special-purpose registries (RFC 6890 and its updates), and the addresses where clouds keep their metadata. */
const NEVER_V4 = networks(
  "0.0.0.0/8",
  "169.254.0.0/16", // link-local; metadata of AWS, Azure, GCP, Oracle, DigitalOcean, Hetzner, OpenStack, Tencent
  "192.0.0.0/24", // protocol assignments; 192.0.0.192 is Oracle's older metadata
  "192.88.99.0/24", // 6to4 relays
  "224.0.0.0/4",
  "240.0.0.0/4",
  "100.100.100.200/32", // Alibaba's metadata, in carrier-grade space
  "168.63.129.16/32", // Azure's wire server, in public space
  "161.26.0.0/16", // IBM's inner services, in public space
  "192.80.8.124/32", // Equinix Metal's metadata, in public space
);
const PRIVATE_V4 = networks(
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "192.0.2.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
);
/** What is allocated to the open internet so far; all else is special. */
const GLOBAL_V6 = networks("2000::/3");
const NEVER_V6 = networks(
  "2001::/23", // protocol assignments: Teredo, ORCHID, benchmarks
  "2001:db8::/32",
  "2002::/16", // 6to4
  "3fff::/20",
  "fd00:ec2::/32", // AWS
  "fd20:ce::/32", // GCP
  "fd00:c1::a9fe:a9fe/128", // Oracle
  "fd00:42::42/128", // Scaleway
);
const PRIVATE_V6 = networks("fc00::/7", "::1/128");
const NAT64 = networks("64:ff9b::/96");

/**
 * The address behind a spelling of the resolver's: IPv4 in IPv6's clothes (`::ffff:…`) becomes IPv4. Null where it is
 * none, or bound to an interface (`%eth0`).
 */
export function parseAddress(text: string): Address | null {
  if (text.includes("%") || isIP(text) === 0) return null;
  const address = ipaddr.parse(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

export function classifyAddress(address: Address): AddressKind {
  if (address instanceof ipaddr.IPv4) {
    if (isIn(address, NEVER_V4)) return "never";
    return isIn(address, PRIVATE_V4) ? "private" : "public";
  }
  if (isIn(address, NAT64)) return onlyPublic(embeddedV4(address));
  if (isIn(address, NEVER_V6)) return "never";
  if (isIn(address, PRIVATE_V6)) return "private";
  if (!isIn(address, GLOBAL_V6)) return "never";
  return isIsatap(address) ? onlyPublic(embeddedV4(address)) : "public";
}

export function isIn(address: Address, networksToTry: readonly Network[]): boolean {
  return networksToTry.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
}

/** Reads `10.0.0.0/8` or a bare address; throws a TypeError for anything else. */
export function parseNetwork(text: string): Network {
  try {
    const [base, bits] = text.split("/", 2);
    const address = parseAddress(base!);
    if (address !== null) {
      const length = bits === undefined ? address.toByteArray().length * 8 : ipaddr.parseCIDR(`${address}/${bits}`)[1];
      return [address, length];
    }
  } catch {
    // The message below says it better.
  }
  throw new TypeError(`"${text}" is no network in CIDR notation, such as 10.0.0.0/8.`);
}

/** A translated address leads where the embedded one does, from the translator's point of view: inside stays closed. */
function onlyPublic(embedded: ipaddr.IPv4): AddressKind {
  return classifyAddress(embedded) === "public" ? "public" : "never";
}

function embeddedV4(address: ipaddr.IPv6): ipaddr.IPv4 {
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}

/** RFC 5214, section 6.1: the interface identifier reads `[02]00:5efe` and an IPv4 address. */
function isIsatap(address: ipaddr.IPv6): boolean {
  const bytes = address.toByteArray();
  return (bytes[8]! & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe;
}

function networks(...texts: string[]): Network[] {
  return texts.map(parseNetwork);
}
