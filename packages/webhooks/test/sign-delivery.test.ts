import { createHmac } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import {
  generateWebhookSecret,
  isWebhookSecret,
  parseWebhookSecret,
  signDelivery,
  verifySignature,
} from "../src/index.ts";

/** The specification's own example, which its reference libraries test against. */
const GOLDEN = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  timestamp: 1614265330,
  body: '{"test": 2432232314}',
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};

const now = () => Math.floor(Date.now() / 1000);

describe("signing", () => {
  test("matches the published vector", () => {
    const headers = signDelivery(GOLDEN, [GOLDEN.secret]);
    expect(headers).toMatchObject({
      "webhook-id": GOLDEN.id,
      "webhook-timestamp": "1614265330",
      "webhook-signature": GOLDEN.signature,
    });
    expect(verifySignature(GOLDEN.body, headers, [GOLDEN.secret], { now: GOLDEN.timestamp })).toEqual({ ok: true });
  });

  test("convinces the receivers' own library, for text and for bytes", () => {
    for (const body of ["{}", '{"text":"שלום 👋 \\u0000"}', Buffer.from('{"a":1}')]) {
      const secret = generateWebhookSecret();
      const headers = signDelivery({ id: "msg_1", timestamp: now(), body }, [secret]);
      expect(new Webhook(secret).verify(body.toString(), headers)).toEqual(JSON.parse(body.toString()));
      expect(() => new Webhook(generateWebhookSecret()).verify(body.toString(), headers)).toThrow();
      expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow();
    }
  });

  test("while a secret is rotated, the old and the new one both verify", () => {
    const [older, newer, other] = [generateWebhookSecret(), generateWebhookSecret(), generateWebhookSecret()];
    const headers = signDelivery({ id: "msg_1", timestamp: now(), body: "{}" }, [newer, older]);
    expect(headers["webhook-signature"]!.split(" ")).toHaveLength(2);
    for (const secret of [older, newer]) {
      expect(new Webhook(secret).verify("{}", headers)).toEqual({});
      expect(verifySignature("{}", headers, [secret])).toEqual({ ok: true });
    }
    expect(verifySignature("{}", headers, [other])).toEqual({ ok: false, reason: "no signature matches" });
    expect(verifySignature("{}", headers, [other, older])).toEqual({ ok: true });
  });

  test("older receivers get the hex of the body's HMAC under the whole secret", () => {
    const secret = generateWebhookSecret();
    const headers = signDelivery({ id: "msg_1", timestamp: now(), body: '{"a":1}' }, [secret]);
    expect(headers["x-webhook-signature"]).toBe(
      createHmac("sha256", Buffer.from(secret)).update('{"a":1}').digest("hex"),
    );
  });

  test("refuses to sign what no one could verify", () => {
    const delivery = { id: "msg_1", timestamp: now(), body: "{}" };
    expect(() => signDelivery(delivery, [])).toThrow(TypeError);
    expect(() => signDelivery(delivery, ["whsec_short"])).toThrow(TypeError);
    expect(() => signDelivery({ ...delivery, id: "a.b" }, [generateWebhookSecret()])).toThrow(TypeError);
    expect(() => signDelivery({ ...delivery, id: "" }, [generateWebhookSecret()])).toThrow(TypeError);
    expect(() => signDelivery({ ...delivery, timestamp: 1.5 }, [generateWebhookSecret()])).toThrow(TypeError);
  });
});

describe("verifying", () => {
  const secret = generateWebhookSecret();
  const signed = (timestamp = now()) => signDelivery({ id: "msg_1", timestamp, body: "{}" }, [secret]);

  test("a changed body, id, time or signature is refused", () => {
    const headers = signed();
    const signature = headers["webhook-signature"]!;
    for (const [body, change] of [
      ["{ }", {}],
      ["{}", { "webhook-id": "msg_2" }],
      ["{}", { "webhook-timestamp": String(now() - 1) }],
      ["{}", { "webhook-timestamp": `0${headers["webhook-timestamp"]}` }],
      ["{}", { "webhook-signature": signature.replace("v1,", "v2,") }],
      ["{}", { "webhook-signature": signature.slice(0, -8) }],
      ["{}", { "webhook-signature": "v1," }],
      ["{}", { "webhook-signature": "v1" }],
      ["{}", { "webhook-signature": "" }],
    ] as const) {
      expect(verifySignature(body, { ...headers, ...change }, [secret])).toEqual({
        ok: false,
        reason: "no signature matches",
      });
    }
    const among = { ...headers, "webhook-signature": `v1a,AAAA v1,AAAA ${signature}` };
    expect(verifySignature("{}", among, [secret])).toEqual({ ok: true });
  });

  test("five minutes, and not more, may lie between", () => {
    const reason = "the timestamp is too old or too new";
    const at = (timestamp: number, options = {}) =>
      verifySignature("{}", signed(timestamp), [secret], { now: 10_000, ...options });
    for (const timestamp of [9_700, 10_300]) expect(at(timestamp)).toEqual({ ok: true });
    for (const timestamp of [9_699, 10_301]) expect(at(timestamp)).toEqual({ ok: false, reason });
    expect(at(9_000, { toleranceSeconds: 1_000 })).toEqual({ ok: true });
  });

  test("a missing or odd header is refused", () => {
    for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
      const reason = "a webhook header is missing";
      expect(verifySignature("{}", { ...signed(), [name]: undefined }, [secret])).toEqual({ ok: false, reason });
    }
    for (const timestamp of ["", "now", "1e9", "-5", "1.5", "9".repeat(30)]) {
      const reason = "the timestamp is no number";
      expect(verifySignature("{}", { ...signed(), "webhook-timestamp": timestamp }, [secret])).toEqual({
        ok: false,
        reason,
      });
    }
  });
});

describe("secrets", () => {
  test("a new one is well-formed, and never the same", () => {
    const secrets = new Set(Array.from({ length: 100 }, generateWebhookSecret));
    expect(secrets.size).toBe(100);
    for (const secret of secrets) expect(parseWebhookSecret(secret)).toHaveLength(32);
  });

  test("24 to 64 bytes in canonical base64, and nothing else", () => {
    const of = (bytes: number) => `whsec_${Buffer.alloc(bytes, 0xfb).toString("base64")}`;
    for (const bytes of [24, 32, 64]) expect(parseWebhookSecret(of(bytes))).toEqual(Buffer.alloc(bytes, 0xfb));
    for (const secret of [
      of(23),
      of(65),
      "",
      "whsec_",
      of(24).slice(6),
      of(24).replace("whsec_", "WHSEC_"),
      ` ${of(24)}`,
      `${of(24)}\n`,
      of(25).replace(/=+$/, ""),
      of(24).replaceAll("+", "-").replaceAll("/", "_"),
      `whsec_${"!".repeat(40)}`,
    ]) {
      expect([secret, isWebhookSecret(secret)]).toEqual([secret, false]);
    }
  });
});
