import type { ProviderAccess } from "@scribe/domain";
import { createGuardedFetch, createOutboundClient, type OutboundClient, type OutboundPolicy } from "@scribe/outbound";

export interface ProviderTransport {
  fetchFor(access: ProviderAccess): typeof fetch;
  close(): Promise<void>;
}

/** Where an operator may have a server of its own. */
const INSIDE = [
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"],
  ...["fc00::/7", "::1/128"],
];

/** The clients' own limits count; these end what they forget. */
const LONGEST_MS = 24 * 3_600_000;

/** An answer about ten hours of speech, with its words, is some 25 MB. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The ways to providers. An address that a tenant chose is reached like any stranger's; one of the operator's may also
 * be inside, on any port. Either way it is the one origin that is asked, and no redirect is followed.
 */
export function createProviderTransport({
  outbound,
  policy,
  idleTimeoutMs,
}: {
  outbound: OutboundClient;
  policy: OutboundPolicy;
  idleTimeoutMs: number;
}): ProviderTransport {
  const limits = { headersTimeoutMs: LONGEST_MS, totalTimeoutMs: LONGEST_MS, idleTimeoutMs, maxBytes: MOST_BYTES };
  const opened = new Map<string, OutboundClient>();

  function operatorClient({ origin, port, protocol }: URL): OutboundClient {
    const known = opened.get(origin);
    if (known) return known;
    const allowedPorts = [Number(port) || (protocol === "https:" ? 443 : 80)];
    const client = createOutboundClient({ ...policy, allowPrivateNetworks: INSIDE, allowedPorts, ownPorts: [] });
    opened.set(origin, client);
    return client;
  }

  return {
    fetchFor({ baseUrl, addressBy }) {
      const url = new URL(baseUrl);
      const client = addressBy === "operator" ? operatorClient(url) : outbound;
      return createGuardedFetch(client, { origin: url.origin, hideInside: addressBy === "tenant", limits });
    },
    close: async () => {
      await Promise.all([...opened.values()].map((client) => client.close()));
    },
  };
}
