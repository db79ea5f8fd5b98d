import type { Config } from "@scribe/config";
import { createOutboundClient } from "@scribe/outbound";
import { type Finding, ok, warning, wordsOf, wrong } from "./finding.ts";

const API_LIMIT_MS = 5_000;
const RECEIVER_LIMIT_MS = 15_000;

/** Whether the API answers where its links say that it is. */
export async function examineApi({ http }: Pick<Config, "http">): Promise<Finding[]> {
  if (http.PUBLIC_URL === undefined) return [ok("API", "PUBLIC_URL is not set: links are made for this machine")];
  try {
    const response = await fetch(new URL("/health", http.PUBLIC_URL), { signal: AbortSignal.timeout(API_LIMIT_MS) });
    await response.body?.cancel();
    if (response.ok) return [ok("API", `${http.PUBLIC_URL} answers`)];
    const mend = `curl -i ${http.PUBLIC_URL}/health   # what stands in front of the API answers; or PUBLIC_URL is another's`;
    return [warning("API", `${http.PUBLIC_URL}/health answers ${response.status}`, mend)];
  } catch (error) {
    const mend = "npm run start:api   # or DNS and the load balancer";
    return [warning("API", `${http.PUBLIC_URL}: ${wordsOf(error)}`, mend)];
  }
}

/** Whether a receiver can be reached, by the walls that deliveries pass. */
export async function examineWebhook({ outbound }: Config, url: string | undefined): Promise<Finding[]> {
  if (url === undefined) return [ok("webhooks", "`--webhook URL` tries a receiver")];
  const client = createOutboundClient({
    allowedPorts: outbound.FETCH_ALLOWED_PORTS.map(Number),
    allowPrivateNetworks: outbound.ALLOW_PRIVATE_NETWORKS,
  });
  try {
    const signal = AbortSignal.timeout(RECEIVER_LIMIT_MS);
    const { status, body } = await client.fetchStream(url, { method: "HEAD", signal });
    body.destroy();
    return [ok("webhooks", `${new URL(url).origin} answers (${status} to a HEAD)`)];
  } catch (error) {
    return [wrong("webhooks", wordsOf(error), `curl -I ${url}   # from this machine; inside: ALLOW_PRIVATE_NETWORKS`)];
  } finally {
    await client.close();
  }
}
