/** Why a request did not succeed, for the caller to tell its own story. */
export type OutboundReason =
  | "address" // the address is not one that we may reach
  | "dns"
  | "connect"
  | "tls"
  | "protocol" // what came back is not HTTP, or its headers are too large
  | "encoded" // the body is compressed although we asked for it plain
  | "timeout_headers"
  | "timeout_idle"
  | "timeout_total"
  | "too_large"
  | "too_many_redirects"
  | "bad_redirect"
  | "short_body";

const RETRYABLE: Record<OutboundReason, boolean> = {
  address: false,
  dns: true,
  connect: true,
  tls: true,
  protocol: true,
  encoded: false,
  timeout_headers: true,
  timeout_idle: true,
  timeout_total: true,
  too_large: false,
  too_many_redirects: false,
  bad_redirect: false,
  short_body: true,
};

/** The message is safe to show to whoever gave the address: it names no address that they did not give themselves. */
export class OutboundError extends Error {
  override readonly name = "OutboundError";
  readonly code: "url_not_allowed" | "outbound_failed";
  readonly reason: OutboundReason;
  readonly retryable: boolean;

  constructor(reason: OutboundReason, message: string, details: { cause?: unknown } = {}) {
    super(message, { cause: details.cause });
    this.code = reason === "address" ? "url_not_allowed" : "outbound_failed";
    this.reason = reason;
    this.retryable = RETRYABLE[reason];
  }
}
