import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readConfig } from "@scribe/config";
import type { ChatEndpoint } from "@scribe/enhancement";
import { type ChatStandIn, startChatStandIn } from "@scribe/testing";
import { enhancementSettings } from "../src/enhancement-settings.ts";
import { openChat } from "../src/open-chat.ts";

let model: ChatStandIn;
beforeEach(async () => {
  model = await startChatStandIn();
});
afterEach(() => model.stop());

const configOf = (env: Record<string, string>) =>
  readConfig({ ENHANCED_AI_BASE_URL: model.baseUrl, ENHANCED_AI_MODEL: "m", ...env }).config;
const question = () => ({
  system: "Be brief.",
  user: ["Hello."],
  schema: { name: "answer", json: { type: "object" } },
  maxOutputTokens: 16,
  signal: AbortSignal.timeout(10_000),
});

test("ENHANCED_AI_TIMEOUT_SECONDS ends the wait for an answer, and no earlier one", async () => {
  const opened = openChat(configOf({ ENHANCED_AI_TIMEOUT_SECONDS: "1" }))!;
  try {
    model.answer = () => "yes";
    await opened.chat.complete(question());
    model.fail("hang");
    const startedAt = performance.now();
    await expect(opened.chat.complete(question())).rejects.toMatchObject({ code: "provider_error" });
    const waitedMs = performance.now() - startedAt;
    expect(waitedMs).toBeGreaterThan(900);
    expect(waitedMs).toBeLessThan(5_000);
  } finally {
    await opened.client.close();
  }
});

test("a question has the time of all forms in which it may be asked", () => {
  const config = configOf({ ENHANCED_AI_TIMEOUT_SECONDS: "7", ENHANCED_AI_CONTEXT_TOKENS: "4096" });
  expect(enhancementSettings(config, {} as ChatEndpoint)).toMatchObject({
    questionLimitMs: 42_000,
    contextTokens: 4096,
  });
});

test("without a model or an address nobody is asked", () => {
  expect(openChat(configOf({ ENHANCED_AI_MODEL: "" }))).toBeNull();
  expect(openChat(configOf({ ENHANCED_AI_BASE_URL: "" }))).toBeNull();
});
