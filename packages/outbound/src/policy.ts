/** What the guarded client may reach. Composed once from the configuration, and shared by everything that reaches out. */
export interface OutboundPolicy {
  /** Ports that are allowed besides 80 and 443 on the open internet. */
  readonly allowedPorts?: readonly number[];
  /** Networks in CIDR notation that may be reached although they are private; any port there but `ownPorts`. */
  readonly allowPrivateNetworks?: readonly string[];
  /** Ports that this installation listens on: never reached in a private network. */
  readonly ownPorts?: readonly number[];
  /** Nothing on the open internet may be reached, whatever its name. */
  readonly privateOnly?: boolean;
  /** Our own servers (database, Redis): never reached, by whatever name or address. Without a port, all of its ports. */
  readonly forbidden?: readonly ForbiddenEndpoint[];
}

export interface ForbiddenEndpoint {
  readonly host: string;
  readonly port?: number;
}

export interface FetchLimits {
  /** Name lookup, TCP and TLS together, of one hop. */
  readonly connectTimeoutMs: number;
  /** From the request's last byte to the end of the answer's headers, of one hop. */
  readonly headersTimeoutMs: number;
  /** Longest wait for the next byte of the body. */
  readonly idleTimeoutMs: number;
  /** From the call to the body's last byte, all hops. */
  readonly totalTimeoutMs: number;
  /** Size of the body. */
  readonly maxBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxRedirects: number;
}

export const DEFAULT_LIMITS: FetchLimits = {
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 30_000,
  idleTimeoutMs: 30_000,
  totalTimeoutMs: 300_000,
  maxBytes: 2 * 1024 ** 3,
  maxHeaderBytes: 16 * 1024,
  maxRedirects: 5,
};
