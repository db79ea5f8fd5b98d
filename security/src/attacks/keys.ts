import { type Attack, Broken } from "../attack.ts";
import { percentile } from "../percentile.ts";
import type { Stage } from "../stage/open-stage.ts";
import { forgeTokens } from "./forged-tokens.ts";

const TIMING_PAIRS = 400;
/** Beyond a tenth and half a millisecond, a difference would tell something. */
const TIMING_SHARE = 1.1;
const TIMING_SLACK_MS = 0.5;

export const keys: Attack = {
  name: "keys",
  what: "keys and tokens: guessed, cut, padded, unicode, forged, revoked, expired, shown twice, wrong scope, escalation, lock-out; how long a refusal takes",
  mustHold: "401 and 403 as written, and no time that tells",
  async run(stage) {
    const broken = new Broken();
    let count = 0;
    const expect = async (what: string, status: number, path: string, init: Parameters<Stage["call"]>[1]) => {
      count += 1;
      const answer = await stage.call(path, init).catch((error: Error) => ({ status: 0, text: String(error) }));
      // What fetch itself will not send is no attack that arrives.
      if (answer.status !== status && answer.status !== 0) broken.add(`${what}: ${answer.status} instead of ${status}`);
    };
    const { key } = await stage.makeKey(["transcribe"]);
    const [, publicId = "", secret = ""] = key.split("_");

    for (const [what, text] of malformed(key, publicId, secret)) {
      await expect(what, 401, "/api/v1/jobs", { key: null, headers: { authorization: `Bearer ${text}` } });
      await expect(`${what} (X-API-Key)`, 401, "/api/v1/jobs", { key: null, headers: { "x-api-key": text } });
    }
    for (const name of ["key", "api_key", "apikey", "access_token", "token", "authorization"]) {
      await expect(`in the query as ${name}`, 401, `/api/v1/jobs?${name}=${key}`, { key: null });
    }
    for (const scheme of ["Basic", "Token", "Digest", ""]) {
      await expect(scheme, 401, "/api/v1/jobs", { key: null, headers: { authorization: `${scheme} ${key}` } });
    }

    const revoked = await stage.makeKey(["read"]);
    await expect("before", 200, "/api/v1/jobs", { key: revoked.key });
    await expect("revoking", 204, `/api/v1/keys/${revoked.id}`, { method: "DELETE" });
    await expect("revoked", 401, "/api/v1/jobs", { key: revoked.key });
    const short = await stage.makeKey(["read"], { expiresAt: new Date(Date.now() + 1_500) });
    await expect("before its end", 200, "/api/v1/jobs", { key: short.key });
    await new Promise((done) => setTimeout(done, 1_800));
    await expect("expired", 401, "/api/v1/jobs", { key: short.key });

    await scopes(stage, expect);
    await inOtherPlaces(stage, expect, key);
    await forgeTokens(stage, expect);
    const { seen } = await timing(stage, broken, publicId);
    return { count, seen: `${count - broken.count} as written; ${seen}`, broken: broken.list };
  },
};

/** At front doors keys may stand elsewhere; what looks at the log last sees whether one was written there. */
async function inOtherPlaces(
  stage: Stage,
  expect: (what: string, status: number, path: string, init: Parameters<Stage["call"]>[1]) => Promise<void>,
  key: string,
): Promise<void> {
  const nobody = "01900000-0000-7000-8000-000000000000";
  const doors = ["/v1/models", "/assemblyai/v2/transcript", "/runpod/v2/x/health"];
  for (const path of doors) {
    for (const scheme of ["Bearer ", "Token ", ""]) {
      await expect(`${scheme}K at ${path}`, 200, path, { key: null, headers: { authorization: scheme + key } });
    }
    await expect(`none at ${path}`, 401, path, { key: null });
    await expect(`in the query at ${path}`, 401, `${path}?key=${key}&token=${key}`, { key: null });
    await expect(`Basic at ${path}`, 401, path, { key: null, headers: { authorization: `Basic ${btoa(key)}` } });
  }
  for (const prefix of [
    "/compat/notes/",
    "/compat/storage/",
    "/compat/saas/",
    "/Compat/Notes/",
    "/runpod/v2/",
    "/v1/",
  ]) {
    for (const rest of ["/x", `/jobs/${nobody}`, "//", "/%2e%2e/x"]) {
      await stage.call(`${prefix}${key}${rest}`, { key: null });
      await stage.call(`${prefix}${key}${rest}`, { key: null, method: "POST" });
    }
  }
  await stage.call(`/api/v1/jobs/${key}`, { key: null });
}

function* malformed(key: string, publicId: string, secret: string): Generator<[string, string]> {
  for (let length = 0; length < key.length; length += 3) yield [`cut to ${length}`, key.slice(0, length)];
  for (let at = 12; at < key.length; at += 5) {
    const other = key[at] === "A" ? "B" : "A";
    yield [`another character at ${at}`, key.slice(0, at) + other + key.slice(at + 1)];
  }
  yield ["longer", `${key}A`];
  yield ["twice", key + key];
  yield ["upper case", `sr_${publicId}_${secret.toUpperCase()}x`];
  yield ["another public part", `sr_${publicId.split("").reverse().join("")}_${secret}`];
  yield ["the public part alone", `sr_${publicId}`];
  yield ["only x", `sr_${publicId}_${"x".repeat(40)}`];
  yield ["very long", `sr_${publicId}_${"x".repeat(4000)}`];
  yield ["SQL", `sr_' OR 1=1--_${secret}`];
  yield ["a wildcard", `sr_%%%%%%%%_${secret}`];
  yield ["latin letters with accents", key.replace(/[aeiou]/i, "é")];
  yield ["percent signs", encodeURIComponent(key).replaceAll("_", "%5F")];
  yield ["a hash", `sr_${publicId}_${Buffer.from(secret).toString("hex")}`];
}

async function scopes(
  stage: Stage,
  expect: (what: string, status: number, path: string, init: Parameters<Stage["call"]>[1]) => Promise<void>,
): Promise<void> {
  const json = { url: "https://example.com/a.wav" };
  const nobody = "/api/v1/jobs/01900000-0000-7000-8000-000000000000";
  const [read, manage, admin, both] = [
    (await stage.makeKey(["read"])).key,
    (await stage.makeKey(["manage"])).key,
    (await stage.makeKey(["admin"])).key,
    (await stage.makeKey(["transcribe", "manage"])).key,
  ];
  await expect("read creates", 403, "/api/v1/transcribe", { key: read, json });
  await expect("read cancels", 403, `${nobody}/cancel`, { key: read, method: "POST" });
  await expect("read erases", 403, nobody, { key: read, method: "DELETE" });
  await expect("read manages", 403, "/api/v1/keys", { key: read });
  await expect("manage reads jobs", 403, "/api/v1/jobs", { key: manage });
  await expect("admin reads jobs", 403, "/api/v1/jobs", { key: admin });
  await expect("admin manages", 403, "/api/v1/webhooks/secret", { key: admin });
  for (const path of ["tenants", "api-keys", "audit", "jobs", "queues", "storage/stats"]) {
    await expect(`manage at ${path}`, 403, `/api/v1/admin/${path}`, { key: both });
  }
  const ask = (scope: string) => ({ name: "more", scopes: [scope] });
  for (const scope of ["admin", "transcribe", "read"]) {
    await expect(`manage grants ${scope}`, 403, "/api/v1/keys", { key: manage, json: ask(scope) });
  }
  await expect("both grant admin", 403, "/api/v1/keys", { key: both, json: ask("admin") });
  for (const scopes of [["manage", "admin"], ["ADMIN"], ["admin "], [["admin"]], { 0: "admin" }]) {
    const status = JSON.stringify(scopes) === '["manage","admin"]' ? 403 : 400;
    await expect(`escalation ${JSON.stringify(scopes)}`, status, "/api/v1/keys", {
      key: manage,
      json: { name: "x", scopes },
    });
  }
  const legacy = { name: "older", scopes: ["read"], profile: "legacy" };
  const older = (await stage.call("/api/v1/keys", { json: legacy, handsOver: true })).json() as {
    id: string;
    key: string;
  };
  stage.secrets.add("an older client's key", older.key.split("_")[2] ?? "");
  await expect("an older client's key reads", 200, "/api/v1/jobs", { key: older.key });
  await expect("an older client's key creates", 403, "/api/v1/transcribe", { key: older.key, json });
  await expect("an older client's key tests webhooks", 403, "/api/v1/webhook/test?webhook_url=https://example.com", {
    ...{ key: older.key, method: "POST" },
  });
  await expect("an older client's key manages", 403, "/api/v1/keys", { key: older.key });
  await expect("revoking it", 204, `/api/v1/keys/${older.id}`, { method: "DELETE" });
  await expect("an older client's revoked key", 401, "/api/v1/jobs", { key: older.key });
  const list = (await stage.call("/api/v1/keys")).json() as unknown as { data: { id: string; scopes: string[] }[] };
  const strongest = list.data.find((each) => each.scopes.includes("admin"));
  await expect("manage rotates an admin's key", 403, `/api/v1/keys/${strongest?.id}/rotate`, { key: manage, json: {} });
}

/** Unknown, known with a wrong secret: neither may be told from the other by how long its refusal takes. */
async function timing(stage: Stage, broken: Broken, publicId: string): Promise<{ seen: string }> {
  const wrong = { known: `sr_${publicId}_${"x".repeat(40)}`, unknown: `sr_Zz9Zz9Zz_${"x".repeat(40)}` };
  const times: Record<keyof typeof wrong, number[]> = { known: [], unknown: [] };
  const pairs = stage.short ? 60 : TIMING_PAIRS;
  for (let round = 0; round < pairs; round++) {
    const order = round % 2 === 0 ? (["known", "unknown"] as const) : (["unknown", "known"] as const);
    for (const which of order) {
      const startedAt = performance.now();
      await stage.call("/api/v1/jobs", { key: wrong[which] });
      times[which].push(performance.now() - startedAt);
    }
  }
  const [known, unknown] = [percentile(times.known, 0.5), percentile(times.unknown, 0.5)];
  const [more, less] = [Math.max(known, unknown), Math.min(known, unknown)];
  if (!stage.short && more > less * TIMING_SHARE && more - less > TIMING_SLACK_MS) {
    broken.add(`refusals take ${known.toFixed(2)} ms and ${unknown.toFixed(2)} ms`);
  }
  return { seen: `medians of ${pairs} refusals ${known.toFixed(2)} and ${unknown.toFixed(2)} ms` };
}
