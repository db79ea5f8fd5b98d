import { createOutboundClient } from "@scribe/outbound";
import { type ChatStandIn, startChatStandIn } from "@scribe/testing";
import { type ChatEndpoint, createChatEndpoint, type KeptSteps } from "../src/index.ts";

export interface ChatBox {
  standIn: ChatStandIn;
  chat: ChatEndpoint;
  stop(): Promise<void>;
}

/** The stand-in, and an endpoint that asks it through the guarded client. */
export async function openChatBox({ timeoutMs = 10_000, apiKey }: { timeoutMs?: number; apiKey?: string } = {}) {
  const standIn = await startChatStandIn();
  const client = createOutboundClient({ allowPrivateNetworks: ["127.0.0.0/8"] });
  const chat = createChatEndpoint({ client, baseUrl: standIn.baseUrl, apiKey, model: "stand-in", timeoutMs });
  const stop = async () => {
    await standIn.stop();
    await client.close();
  };
  return { standIn, chat, stop } satisfies ChatBox;
}

/** Steps in memory, with what each kept. */
export function stepsInMemory(
  kept = new Map<string, unknown>(),
): KeptSteps & { kept: Map<string, unknown>; progress: number[] } {
  const progress: number[] = [];
  return {
    kept,
    progress,
    get: (step) => kept.get(step),
    async keep(step, given) {
      kept.set(step, given.value);
      progress.push(given.progress);
    },
  };
}
