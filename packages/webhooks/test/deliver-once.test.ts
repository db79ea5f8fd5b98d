import { Readable } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { type OutboundClient, OutboundError, type OutboundRequest, type OutboundResponse } from "@scribe/outbound";
import { deliverOnce, generateWebhookSecret, vercelBypass, verifySignature } from "../src/index.ts";

const secrets = [generateWebhookSecret(), generateWebhookSecret()];
const delivery = {
  id: "0199-delivery",
  url: "https://receiver.example/hook",
  body: '{"type":"job.completed"}',
  secrets,
};
const nowMs = () => 1_700_000_000_000;
const never = new AbortController().signal;

/** A client that answers as told, in memory; what it was asked is written down. */
function standIn(answer: Partial<OutboundResponse> | Error | ((request: OutboundRequest) => Promise<never>)) {
  const requests: OutboundRequest[] = [];
  const client: OutboundClient = {
    async fetchStream(_url, request = {}) {
      requests.push(request);
      if (typeof answer === "function") return await answer(request);
      if (answer instanceof Error) throw answer;
      return {
        ...{ status: 200, headers: {}, body: Readable.from([]), finalUrl: delivery.url },
        ...{ remoteAddress: "203.0.113.1", remoteIsPrivate: false },
        ...answer,
      };
    },
    close: async () => {},
  };
  return { client, requests };
}

const send = (client: OutboundClient) => deliverOnce(delivery, { client, nowMs, signal: never });

describe("one try of a delivery", () => {
  test("is a signed POST that follows no redirect and takes 15 s at most", async () => {
    const { client, requests } = standIn({ status: 204 });
    expect(await send(client)).toEqual({ status: 204, durationMs: expect.any(Number) });
    const [request] = requests;
    expect(request).toMatchObject({ method: "POST", redirect: "refuse", body: delivery.body });
    expect(request!.limits).toMatchObject({ totalTimeoutMs: 15_000 });
    expect(request!.headers).toMatchObject({
      "content-type": "application/json",
      "webhook-id": delivery.id,
      "webhook-timestamp": "1700000000",
    });
    for (const secret of secrets) {
      expect(verifySignature(delivery.body, request!.headers!, [secret], { now: 1_700_000_000 })).toEqual({ ok: true });
    }
  });

  test.each([
    ...["host", "Host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "te", "content-type"],
    ...["webhook-id", "Webhook-Signature", "webhook-timestamp", "x-webhook-signature", "x-vercel-protection-bypass"],
    ...["x-forwarded-for", "forwarded", "proxy-authorization", "cookie", "metadata-flavor", "x-aws-ec2-metadata-token"],
    ...["a b", "a:b", "a\r\nhost", "é", "", ":authority"],
  ])("sends no header %j of a caller's", async (name) => {
    const { client, requests } = standIn({ status: 204 });
    await deliverOnce({ ...delivery, headers: { [name]: "theirs" } }, { client, nowMs, signal: never });
    await send(client);
    expect(requests[0]?.headers).toEqual(requests[1]?.headers);
    expect(Object.values(requests[0]?.headers ?? {})).not.toContain("theirs");
  });

  test("sends what else a caller chose, in one line", async () => {
    const { client, requests } = standIn({ status: 204 });
    const headers = {
      authorization: "Bearer theirs",
      "dg-token": "abc",
      "x-split": "a\r\nhost: b",
      "x-long": "x".repeat(1025),
    };
    await deliverOnce({ ...delivery, headers }, { client, nowMs, signal: never });
    expect(requests[0]?.headers).toMatchObject({ authorization: "Bearer theirs", "dg-token": "abc" });
    expect(requests[0]?.headers).not.toHaveProperty("x-split");
    expect(requests[0]?.headers).not.toHaveProperty("x-long");
  });

  test("keeps the answer's first KiB", async () => {
    const { client } = standIn({ status: 500, body: Readable.from([Buffer.from("a\0b"), Buffer.alloc(4000, "c")]) });
    const result = await send(client);
    expect(result).toMatchObject({ status: 500, error: "The receiver answered 500." });
    expect(result.responseExcerpt).toBe(`a\u{fffd}b${"c".repeat(1021)}`);
  });

  test("never shows an answer that came from inside", async () => {
    const { client } = standIn({ remoteIsPrivate: true, body: Readable.from([Buffer.from("secret")]) });
    expect(await send(client)).not.toHaveProperty("responseExcerpt");
  });

  test("stops reading an endless answer, and still counts its status", async () => {
    let sent = 0;
    const body = Readable.from(
      (function* () {
        for (;;) {
          sent += 16_384;
          yield Buffer.alloc(16_384);
        }
      })(),
    );
    expect(await send(standIn({ body }).client)).toMatchObject({ status: 200 });
    expect(sent).toBeLessThan(400_000);
    expect(body.destroyed).toBe(true);
  });

  test("counts its status where the answer breaks off", async () => {
    const body = new Readable({
      read() {
        this.destroy(new Error("reset"));
      },
    });
    expect(await send(standIn({ body }).client)).toMatchObject({ status: 200 });
  });

  test.each([
    ["120", 120],
    [new Date(nowMs() + 90_000).toUTCString(), 90],
    [new Date(nowMs() - 90_000).toUTCString(), 0],
    ["soon", undefined],
  ])("reads Retry-After: %s", async (value, seconds) => {
    const { client } = standIn({ status: 429, headers: { "retry-after": value } });
    expect((await send(client)).retryAfterSeconds).toBe(seconds);
  });

  test("says that redirects are not followed", async () => {
    expect((await send(standIn({ status: 302 }).client)).error).toContain("redirects are not followed");
  });

  test("is told why there was no answer, without what is ours", async () => {
    const refused = new OutboundError("connect", "The server did not accept the connection.");
    expect(await send(standIn(refused).client)).toMatchObject({ status: null, error: refused.message });
    expect((await send(standIn(new Error("/secret/path")).client)).error).toBe("The delivery could not be sent.");
  });

  test("ends when its time is over, whatever the client waits for", async () => {
    const { client } = standIn(
      ({ signal }) => new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason))),
    );
    const result = await deliverOnce(delivery, { client, signal: never, timeoutMs: -1990 });
    expect(result).toMatchObject({ status: null, error: "The receiver did not answer in time." });
  });

  test("throws where there is nothing to sign with", async () => {
    const { client } = standIn({});
    await expect(deliverOnce({ ...delivery, secrets: [] }, { client, signal: never })).rejects.toThrow("secret");
  });
});

describe("the bypass of Vercel's protection", () => {
  const headersFor = vercelBypass({ hosts: ["Receiver.example"], secret: "bypass" });

  test("goes to hosts that the operator named", async () => {
    const { client, requests } = standIn({});
    await deliverOnce(delivery, { client, signal: never, headersFor });
    expect(requests[0]!.headers).toMatchObject({ "x-vercel-protection-bypass": "bypass" });
  });

  test.each([
    "https://receiver.example.evil.test/",
    "https://evil.test/receiver.example",
    "https://receiver.example@evil.test/",
    "http://receiver.example/",
  ])("does not go to %s", async (url) => {
    const { client, requests } = standIn({});
    await deliverOnce({ ...delivery, url }, { client, signal: never, headersFor });
    expect(requests[0]!.headers).not.toHaveProperty("x-vercel-protection-bypass");
  });

  test("goes nowhere without a secret", () => {
    expect(vercelBypass({ hosts: ["receiver.example"], secret: undefined })("https://receiver.example/")).toEqual({});
  });
});
