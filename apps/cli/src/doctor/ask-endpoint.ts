import { text } from "node:stream/consumers";
import { createOutboundClient } from "@scribe/outbound";

const LIMIT_MS = 10_000;
const MOST_BYTES = 4 * 1024 * 1024;

/** Where an operator may have a server of its own; a machine's metadata is not among it. */
const INSIDE = ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"];

/**
 * Asks an address of the operator's with GET, as the workers reach it: inside or outside, on its own port, or inside only.
 *
 * @throws OutboundError where it cannot be reached, or may not
 */
export async function askEndpoint(
  url: URL,
  { headers, privateOnly = false }: { headers: Record<string, string>; privateOnly?: boolean },
): Promise<{ status: number; body: unknown }> {
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const client = createOutboundClient({ allowedPorts: [port], allowPrivateNetworks: INSIDE, privateOnly });
  try {
    const answer = await client.fetchStream(url, {
      headers,
      signal: AbortSignal.timeout(LIMIT_MS),
      limits: { maxBytes: MOST_BYTES },
    });
    return { status: answer.status, body: parseOr(await text(answer.body)) };
  } finally {
    await client.close();
  }
}

/** What is no JSON says nothing here. */
function parseOr(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
