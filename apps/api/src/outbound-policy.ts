import type { Config } from "@scribe/config";
import type { ForbiddenEndpoint, OutboundPolicy } from "@scribe/outbound";

/** What addresses that callers give may reach: never this installation's own servers. */
export function readOutboundPolicy({ outbound, http, data }: Config): OutboundPolicy {
  const servers = [data.DATABASE_URL, data.DATABASE_DIRECT_URL, data.REDIS_URL].filter((url) => url !== undefined);
  return {
    allowPrivateNetworks: outbound.ALLOW_PRIVATE_NETWORKS,
    allowedPorts: outbound.FETCH_ALLOWED_PORTS.map(Number),
    ownPorts: [http.PORT, http.WORKER_PORT, http.METRICS_PORT].filter((port) => port !== 0),
    forbidden: servers.flatMap(endpointOf),
  };
}

const DEFAULT_PORTS: Record<string, number> = {
  "postgres:": 5432,
  "postgresql:": 5432,
  "redis:": 6379,
  "rediss:": 6379,
};

/** A URL without a host is that of a socket on this machine's disk. */
function endpointOf(text: string): ForbiddenEndpoint[] {
  const { hostname, port, protocol } = new URL(text);
  // Hosts in brackets are IPv6 addresses; without them is how everybody else writes those.
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return host === "" ? [] : [{ host, port: port === "" ? DEFAULT_PORTS[protocol] : Number(port) }];
}
