/**
 * Headers that a caller may not choose for its webhook: those that say where a request goes and where it ends, those that the
 * sender itself sets, and those that a receiver trusts because we sign or send them.
 */
const RESERVED = new Set([
  ...["host", "content-length", "content-type", "content-encoding", "transfer-encoding", "te", "trailer", "expect"],
  ...["connection", "keep-alive", "proxy-connection", "upgrade", "http2-settings", "accept-encoding", "user-agent"],
  ...["cookie", "forwarded", "via", "origin", "referer", "x-real-ip", "x-http-method-override", "x-original-url"],
  ...["x-rewrite-url", "traceparent", "tracestate", "metadata-flavor", "metadata"],
]);
/** Ours, those of proxies, and those that clouds' metadata services ask for. */
const RESERVED_PREFIXES = [
  ...["webhook-", "x-webhook-", "x-vercel-", "x-ivrit-"],
  ...["proxy-", "sec-", "x-forwarded-", "x-aws-ec2-metadata-", "x-google-metadata-"],
];
const NAME = /^[\w-]{1,128}$/;
/** Visible ASCII and spaces: no line ends, which would begin a header of its own. */
const VALUE = /^[\x20-\x7e]{0,1024}$/;

/** Whether a caller may have this header sent along with its webhooks. */
export function mayBeForeignHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return NAME.test(name) && !RESERVED.has(lower) && !RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

/** Whether a header may have this value. */
export function isHeaderValue(value: string): boolean {
  return VALUE.test(value);
}

/** What of a caller's headers is sent: whatever was stored, none that is ours to say. */
export function foreignHeaders(given: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).filter(([name, value]) => mayBeForeignHeader(name) && isHeaderValue(value)),
  );
}
