import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseKey, secretMatches, uuidV7 } from "@scribe/domain";
import {
  audit,
  createKey,
  ensureTenant,
  findKey,
  heartbeat,
  listKeys,
  liveSlots,
  modelLoads,
  removeWorker,
  revokeKey,
  tenantUploads,
  touchKey,
  webhookSecrets,
} from "../src/index.ts";
import { type DatabaseBench, openBench } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

describe("a key", () => {
  const make = (over = {}) =>
    createKey(bench.db, { tenantId: bench.tenant.id, name: "k", scopes: ["transcribe"], ...over });

  test("is found by its public id, and its secret is stored only as a hash", async () => {
    const made = await make({ limits: { reads: 5 } });
    const { publicId, secret } = parseKey(made.key)!;
    const found = await findKey(bench.db, publicId);
    expect(found).toMatchObject({
      id: made.id,
      tenantId: bench.tenant.id,
      scopes: ["transcribe"],
      limits: { reads: 5 },
    });
    expect(found).toMatchObject({ tenantDisabled: false, revokedAt: null, expiresAt: null, lastUsedAt: null });
    expect(secretMatches(secret, found!.secretHash)).toBe(true);
    const [row] = await bench.sql<{ text: string }>("SELECT api_keys::text AS text FROM api_keys WHERE id = $1", [
      made.id,
    ]);
    expect(row.text).not.toContain(secret);
    expect(await findKey(bench.db, "nobody00")).toBeNull();
  });

  test("may be one that the operator chose", async () => {
    const key = parseKey(`sr_operator_${"x".repeat(40)}`)!;
    expect((await make({ key })).key).toBe(`sr_operator_${"x".repeat(40)}`);
  });

  test("that is revoked is seen as such at once, and cannot be revoked again", async () => {
    const { id, publicId } = await make();
    expect(await revokeKey(bench.db, bench.tenant.id, id)).toBe(true);
    expect((await findKey(bench.db, publicId))?.revokedAt).toBeInstanceOf(Date);
    expect(await revokeKey(bench.db, bench.tenant.id, id)).toBe(false);
  });

  test("of another tenant is neither listed nor revoked", async () => {
    const other = await bench.addTenant();
    const { id, publicId } = await make();
    expect(await revokeKey(bench.db, other.id, id)).toBe(false);
    expect((await findKey(bench.db, publicId))?.revokedAt).toBeNull();
    expect(await listKeys(bench.db, other.id)).toEqual([]);
    expect((await listKeys(bench.db, bench.tenant.id)).map((key) => key.id)).toContain(id);
  });

  test("notes its use at most once a minute", async () => {
    const { id, publicId } = await make();
    const lastUsed = async () => (await findKey(bench.db, publicId))?.lastUsedAt?.getTime() ?? 0;
    await touchKey(bench.db, id);
    const first = await lastUsed();
    expect(first).toBeGreaterThan(0);
    await bench.sql("SELECT pg_sleep(0.01)");
    await touchKey(bench.db, id);
    expect(await lastUsed()).toBe(first);
    await bench.sql("UPDATE api_keys SET last_used_at = now() - interval '61 seconds' WHERE id = $1", [id]);
    await touchKey(bench.db, id);
    expect(await lastUsed()).toBeGreaterThan(first);
  });

  test("of a disabled tenant says so", async () => {
    const other = await bench.addTenant();
    const { publicId } = await make({ tenantId: other.id });
    await bench.sql("UPDATE tenants SET disabled_at = now() WHERE id = $1", [other.id]);
    expect((await findKey(bench.db, publicId))?.tenantDisabled).toBe(true);
  });
});

describe("a tenant", () => {
  test("is made once, however many ask for it at once", async () => {
    const rows = await Promise.all(Array.from({ length: 10 }, () => ensureTenant(bench.db, "many")));
    expect(new Set(rows.map(({ id }) => id)).size).toBe(1);
  });

  test("has a webhook secret of its own, or the one given, and it is stored encrypted", async () => {
    const own = await ensureTenant(bench.db, "own");
    const [secret] = await webhookSecrets(bench.db, own.id);
    expect(Buffer.from(secret!.replace("whsec_", ""), "base64")).toHaveLength(32);
    const given = await ensureTenant(bench.db, "given", "whsec_canary");
    expect(await webhookSecrets(bench.db, given.id)).toEqual(["whsec_canary"]);
    expect(await bench.sql("SELECT 1 FROM tenants WHERE tenants::text LIKE '%canary%'")).toEqual([]);
    // A later start with another setting changes nothing.
    await ensureTenant(bench.db, "given", "whsec_other");
    expect(await webhookSecrets(bench.db, given.id)).toEqual(["whsec_canary"]);
    expect(await webhookSecrets(bench.db, uuidV7())).toEqual([]);
  });

  test("signs with both secrets for a day after a rotation", async () => {
    const { id } = await ensureTenant(bench.db, "rotating", "new");
    const rotated = (hoursAgo: number) =>
      bench.sql(
        `UPDATE tenants SET webhook_secret_before_encrypted = $2, webhook_secret_rotated_at = now() - $3 * interval '1 hour'
         WHERE id = $1`,
        [id, bench.db.secrets.encrypt("old"), hoursAgo],
      );
    await rotated(23);
    expect(await webhookSecrets(bench.db, id)).toEqual(["new", "old"]);
    await rotated(25);
    expect(await webhookSecrets(bench.db, id)).toEqual(["new"]);
  });
});

test("an upload is its tenant's alone, and gone after its time", async () => {
  const uploads = tenantUploads(bench.db, bench.tenant.id);
  const stored = (expiresAt: Date) =>
    uploads.create({ state: "stored", sizeBytes: 5 * 2 ** 40, storageKey: "audio/t/u", filename: "a.wav", expiresAt });
  const upload = await stored(new Date(Date.now() + 60_000));
  expect(upload.sizeBytes).toBe(5 * 2 ** 40);
  expect(await uploads.getStored(upload.id)).toEqual(upload);
  const other = await bench.addTenant();
  expect(await tenantUploads(bench.db, other.id).getStored(upload.id)).toBeNull();
  expect(await uploads.getStored((await stored(new Date(Date.now() - 1_000))).id)).toBeNull();
  const promised = await uploads.create({
    state: "presigned",
    sizeBytes: 1,
    storageKey: "k",
    expiresAt: new Date(Date.now() + 60_000),
  });
  expect(await uploads.getStored(promised.id)).toBeNull();
});

test("workers count while they are seen", async () => {
  const state = { roles: ["transcription"], models: ["a", "b"], version: "1" };
  await heartbeat(bench.db, { ...state, id: "w1", slots: 2 });
  await heartbeat(bench.db, { ...state, id: "w2", slots: 3, models: ["a"] });
  await heartbeat(bench.db, { ...state, id: "w1", slots: 4 });
  expect(await liveSlots(bench.db)).toBe(7);
  expect(await modelLoads(bench.db)).toEqual(
    new Map([
      ["a", 2],
      ["b", 1],
    ]),
  );
  await bench.sql("UPDATE workers SET seen_at = now() - interval '31 seconds' WHERE id = 'w2'");
  expect(await liveSlots(bench.db)).toBe(4);
  await bench.sql("UPDATE workers SET seen_at = now() - interval '2 hours' WHERE id = 'w2'");
  await removeWorker(bench.db, "w1");
  expect(await bench.sql("SELECT id FROM workers")).toEqual([]);
});

test("an act is written down", async () => {
  await audit(bench.db, { actor: "cli", action: "key.created", target: "k", detail: { name: "x" } });
  expect(await bench.sql("SELECT actor, action, target, tenant_id, detail FROM audit")).toEqual([
    { actor: "cli", action: "key.created", target: "k", tenant_id: null, detail: { name: "x" } },
  ]);
});
