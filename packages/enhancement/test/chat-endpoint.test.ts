import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createOutboundClient } from "@scribe/outbound";
import { createChatEndpoint, enhance, sourceOfText } from "../src/index.ts";
import { type ChatBox, openChatBox, stepsInMemory } from "./chat-box.ts";

let box: ChatBox;
beforeEach(async () => {
  box = await openChatBox({ apiKey: "the-key", timeoutMs: 2000 });
});
afterEach(() => box.stop());

const title = async (chat = box.chat) => {
  const { outputs } = await enhance({
    ...{ source: sourceOfText("Good morning. Goodbye."), tasks: ["title"], options: {}, chat, contextTokens: 8192 },
    ...{ steps: stepsInMemory(), signal: AbortSignal.timeout(20_000) },
  });
  return outputs.title;
};

test("speaks the protocol: model, key, schema", async () => {
  expect(await title()).toBe("Good morning. Goodbye.");
  const [call] = box.standIn.calls;
  expect(call?.authorization).toBe("Bearer the-key");
  expect(call?.body).toMatchObject({
    model: "stand-in",
    response_format: { type: "json_schema", json_schema: { name: "title", schema: { required: ["title"] } } },
  });
});

test.each([
  [["json_schema"], ["json_schema", "json_object", "json_object"]],
  [
    ["json_schema", "json_object"],
    ["json_schema", "json_object", undefined, undefined],
  ],
])("an endpoint that refuses %j is asked in another way, and remembered", async (refused, forms) => {
  for (const form of refused) box.standIn.refuses.add(form);
  expect(await title()).toBe("Good morning. Goodbye.");
  expect(await title()).toBe("Good morning. Goodbye.");
  expect(box.standIn.calls.map(({ body }) => body.response_format?.type)).toEqual(forms);
});

describe("an answer that breaks the schema", () => {
  test("is asked for again with what was wrong", async () => {
    box.standIn.fail("break-schema", { times: 2 });
    expect(await title()).toBe("Good morning. Goodbye.");
    expect(box.standIn.calls).toHaveLength(3);
    expect(box.standIn.calls[1]?.body.messages.at(-1)?.content).toMatch(/refused[\s\S]*title/);
  });

  test("three times over is given up", async () => {
    box.standIn.fail("break-schema", { times: 3 });
    await expect(title()).rejects.toMatchObject({ code: "invalid_output", retryable: false });
    expect(box.standIn.calls).toHaveLength(3);
  });

  test("that was cut off for its length is asked for shorter", async () => {
    box.standIn.fail("too-long");
    expect(await title()).toBe("Good morning. Goodbye.");
    expect(box.standIn.calls[1]?.body.messages.at(-1)?.content).toContain("shorter");
  });

  test.each([
    ["in a block of code, after a thought", '<think>{"title": 1}</think>\nHere:\n```json\n{"title": "T"}\n```', "T"],
    ["with what no database stores", '{"title": "T\\u0000\\ud800"}', "T\ufffd\ufffd"],
  ])("%s", async (_name, text, wanted) => {
    box.standIn.answer = () => text;
    expect(await title()).toBe(wanted);
  });
});

describe("an endpoint that fails", () => {
  test.each([
    [
      "429 with a wish",
      { status: 429, headers: { "retry-after": "7" } },
      { code: "provider_error", retryable: true, retryAfterSeconds: 7 },
    ],
    ["500", { status: 500 }, { code: "provider_error", retryable: true }],
    ["half an answer", "cut" as const, { code: "provider_error", retryable: true }],
    ["no answer", "hang" as const, { code: "provider_error", retryable: true }],
    ["another protocol", "garble" as const, { code: "provider_error", retryable: true }],
    ["a wrong key", { status: 401 }, { code: "provider_unauthorized", retryable: false }],
    ["an unknown model", { status: 404 }, { code: "provider_error", retryable: false }],
    [
      "a redirect",
      { status: 307, headers: { location: "http://127.0.0.1:1/" } },
      { code: "provider_error", retryable: false },
    ],
  ])("%s", async (_name, fault, wanted) => {
    box.standIn.fail(fault);
    await expect(title()).rejects.toMatchObject(wanted);
    expect(box.standIn.calls).toHaveLength(1);
  });

  test("a date to wait for counts from now, and no wish is longer than an hour", async () => {
    box.standIn.fail({ status: 503, headers: { "retry-after": new Date(Date.now() + 90_000).toUTCString() } });
    const error = (await title().catch((thrown: unknown) => thrown)) as { retryAfterSeconds: number };
    expect(error.retryAfterSeconds).toBeGreaterThan(80);
    expect(error.retryAfterSeconds).toBeLessThanOrEqual(91);
    box.standIn.fail({ status: 503, headers: { "retry-after": "999999" } });
    await expect(title()).rejects.toMatchObject({ retryAfterSeconds: 3600 });
  });

  test("refuses every form", async () => {
    box.standIn.fail({ status: 400 }, { times: 4 });
    await expect(title()).rejects.toMatchObject({ code: "provider_error", retryable: false });
    expect(box.standIn.calls).toHaveLength(4);
  });

  test("lies outside, where nothing may", async () => {
    const client = createOutboundClient({
      allowedPorts: [8443],
      allowPrivateNetworks: ["127.0.0.0/8"],
      privateOnly: true,
    });
    const chat = createChatEndpoint({ client, baseUrl: "http://93.184.215.14:8443/v1", model: "m", timeoutMs: 500 });
    await expect(title(chat)).rejects.toMatchObject({ code: "url_not_allowed", retryable: false });
    await client.close();
  });
});

test("a stop ends the question that is under way", async () => {
  box.standIn.fail("hang");
  const stop = new AbortController();
  const asked = enhance({
    ...{ source: sourceOfText("Hello."), tasks: ["title"], options: {}, chat: box.chat, contextTokens: 8192 },
    ...{ steps: stepsInMemory(), signal: stop.signal },
  });
  setTimeout(() => stop.abort(new Error("enough")), 50);
  await expect(asked).rejects.toThrow("enough");
});
