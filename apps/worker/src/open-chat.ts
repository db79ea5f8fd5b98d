import type { Config } from "@scribe/config";
import { type ChatEndpoint, createChatEndpoint } from "@scribe/enhancement";
import { createOutboundClient, type OutboundClient } from "@scribe/outbound";

/** The operator chose the address, so it may lie inside; a machine's metadata is nobody's chat endpoint all the same. */
const INSIDE = ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"];

/** The configured chat endpoint with a client of its own; null where none is configured. */
export function openChat({ enhancement, providers }: Config): { chat: ChatEndpoint; client: OutboundClient } | null {
  const { ENHANCED_AI_BASE_URL: baseUrl, ENHANCED_AI_MODEL: model, ENHANCED_AI_API_KEY: apiKey } = enhancement;
  if (baseUrl === undefined || model === undefined) return null;
  const { port, protocol } = new URL(baseUrl);
  const client = createOutboundClient({
    allowedPorts: [port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)],
    allowPrivateNetworks: INSIDE,
    privateOnly: providers.LOCAL_ONLY,
  });
  const timeoutMs = enhancement.ENHANCED_AI_TIMEOUT_SECONDS * 1000;
  return { client, chat: createChatEndpoint({ client, baseUrl, apiKey, model, timeoutMs }) };
}
