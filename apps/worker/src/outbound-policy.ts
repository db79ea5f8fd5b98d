import type { Config } from "@scribe/config";
import type { ForbiddenEndpoint, OutboundPolicy } from "@scribe/outbound";

/** What the guarded client may reach, by the configuration: never our own ports and servers. */
export function outboundPolicy({ outbound, http, data }: Config): OutboundPolicy {
  return {
    allowedPorts: outbound.FETCH_ALLOWED_PORTS.map(Number),
    allowPrivateNetworks: outbound.ALLOW_PRIVATE_NETWORKS,
    ownPorts: [http.PORT, http.WORKER_PORT, http.METRICS_PORT].filter((port) => port !== 0),
    forbidden: [data.DATABASE_URL, data.DATABASE_DIRECT_URL, data.REDIS_URL].flatMap(toEndpoint),
  };
}

function toEndpoint(url: string | undefined): ForbiddenEndpoint[] {
  if (url === undefined) return [];
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol.startsWith("redis") ? 6379 : 5432;
  return hostname === "" ? [] : [{ host: hostname, port: port === "" ? usual : Number(port) }];
}
