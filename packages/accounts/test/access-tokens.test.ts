import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { uuidV7 } from "@scribe/domain";
import { ACCESS_TOKEN_SECONDS, createAccessTokens, createRefreshTokens, hashToken } from "../src/index.ts";

const SECRET = Buffer.alloc(32, 3);
const claims = { userId: uuidV7(), sessionId: uuidV7(), tenantId: uuidV7() };
const tokens = createAccessTokens(SECRET);

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()) as object;
/** A token made by somebody else: any header, any body, HMAC by `hash` under `secret`. */
function forge(header: object, body: object, { secret = SECRET, hash = "sha256" } = {}): string {
  const text = `${part(header)}.${part(body)}`;
  return `${text}.${createHmac(hash, secret).update(text).digest("base64url")}`;
}

describe("an access token", () => {
  const good = tokens.issue(claims);
  const body = decode(good);
  const HS256 = { alg: "HS256", typ: "JWT" };

  test("says what it was made of, for fifteen minutes", () => {
    expect(tokens.read(good)).toEqual(claims);
    expect(tokens.read(forge(HS256, body))).toEqual(claims);
    const at = (seconds: number) => createAccessTokens(SECRET, () => Date.now() + seconds * 1000);
    expect(at(ACCESS_TOKEN_SECONDS - 2).read(good)).toEqual(claims);
    expect(at(ACCESS_TOKEN_SECONDS).read(good)).toBe("expired");
    expect(ACCESS_TOKEN_SECONDS).toBe(900);
  });

  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const rs256 = `${part({ alg: "RS256", typ: "JWT" })}.${part(body)}`;
  const other = { ...body, exp: 4e9 };
  const flip = (text: string) => text.slice(0, -1) + (text.endsWith("A") ? "Q" : "A");

  test.each<[string, string]>([
    ["without a signature, algorithm none", `${part({ alg: "none", typ: "JWT" })}.${part(body)}.`],
    ["algorithm none, signed all the same", forge({ alg: "none", typ: "JWT" }, body)],
    ["algorithm nOnE", `${part({ alg: "nOnE" })}.${part(body)}.`],
    ["HS512 under the right secret", forge({ alg: "HS512", typ: "JWT" }, body, { hash: "sha512" })],
    ["HS384 that is HS256", forge({ alg: "HS384", typ: "JWT" }, body)],
    ["RS256", `${rs256}.${sign("sha256", Buffer.from(rs256), privateKey).toString("base64url")}`],
    ["another secret", forge(HS256, body, { secret: Buffer.alloc(32, 4) })],
    ["an empty secret", forge(HS256, body, { secret: Buffer.alloc(0) })],
    ["another body under the same signature", [good.split(".")[0], part(other), good.split(".")[2]].join(".")],
    ["a header with a key of its own", forge({ ...HS256, jwk: { kty: "oct", k: "AAAA" } }, body)],
    ["a header that names a file", forge({ ...HS256, kid: "../../dev/null" }, body)],
    ["another audience", forge(HS256, { ...body, aud: "somebody-else" })],
    ["no audience", forge(HS256, { ...body, aud: undefined })],
    ["a list of audiences", forge(HS256, { ...body, aud: ["scribe-rabbit-api"] })],
    ["another issuer", forge(HS256, { ...body, iss: "somebody-else" })],
    ["without an end", forge(HS256, { ...body, exp: undefined })],
    ["with an end that is a text", forge(HS256, { ...body, exp: "4000000000" })],
    ["made in the future", forge(HS256, { ...body, iat: 4e9, exp: 5e9 })],
    ["a user that is no id", forge(HS256, { ...body, sub: "' OR 1=1" })],
    ["a body that is no object", forge(HS256, "text" as never)],
    ["a body that is null", forge(HS256, null as never)],
    ["another last character", flip(good)],
    ["padding", `${good}=`],
    ["a fourth part", `${good}.x`],
    ["two parts", good.split(".").slice(0, 2).join(".")],
    ["nothing", ""],
    ["a megabyte", `${good.split(".")[0]}.${"A".repeat(2 ** 20)}.x`],
  ])("with %s is not one", (_what, token) => {
    expect(tokens.read(token)).toBe("invalid");
  });

  test("signed by us over what is no JSON says nothing", () => {
    const text = `${part(HS256)}.e30x`;
    expect(tokens.read(`${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`)).toBe("invalid");
  });

  test("of a session that has ended long ago is told to be expired", () => {
    expect(tokens.read(forge(HS256, { ...body, iat: 1, exp: 2 }))).toBe("expired");
  });
});

test("a refresh token has one successor under one secret, and no other under another", () => {
  const refresh = createRefreshTokens(SECRET);
  const token = refresh.first();
  expect(token).toMatch(/^srr_[A-Za-z0-9_-]{43}$/);
  expect(refresh.first()).not.toBe(token);
  expect(refresh.successor(token)).toMatch(/^srr_[A-Za-z0-9_-]{43}$/);
  expect(refresh.successor(token)).toBe(createRefreshTokens(SECRET).successor(token));
  expect(refresh.successor(token)).not.toBe(createRefreshTokens(Buffer.alloc(32, 9)).successor(token));
  expect(hashToken(token)).toHaveLength(32);
});
