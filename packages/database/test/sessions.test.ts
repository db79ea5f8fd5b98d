import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { uuidV7 } from "@scribe/domain";
import {
  clearAttempts,
  countAttempt,
  createUser,
  findSession,
  openSession,
  rotateRefreshToken,
  runRetention,
  tenantInvitations,
} from "../src/index.ts";
import { type DatabaseBench, openBench } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const hash = (text: string) => createHash("sha256").update(text).digest();

async function session() {
  const made = await createUser(bench.db, { email: `${uuidV7()}@example.com`, passwordHash: "-" });
  if (typeof made === "string") throw new Error(made);
  const token = uuidV7();
  const { user, tenantId } = made;
  const sessionId = await openSession(bench.db, { userId: user.id, tenantId, tokenHash: hash(token) });
  return { userId: user.id, tenantId, sessionId, token };
}

const rotate = (token: string, overlapMs = 0) =>
  rotateRefreshToken(bench.db, { tokenHash: hash(token), successorHash: hash(`${token}+`), overlapMs });

test("a refresh token that is shown again within the overlap has the same successor, until that is used", async () => {
  const { token, ...ids } = await session();
  expect(await rotate(token, 60_000)).toMatchObject({ kind: "rotated", sessionId: ids.sessionId });
  expect(await rotate(token, 60_000)).toMatchObject({ kind: "rotated", sessionId: ids.sessionId });
  expect(await findSession(bench.db, ids)).toMatchObject({ role: "owner" });
  expect(await rotate(`${token}+`, 60_000)).toMatchObject({ kind: "rotated" });
  expect(await rotate(token, 60_000)).toMatchObject({ kind: "reused" });
  expect(await findSession(bench.db, ids)).toBeNull();
  expect(await rotate(`${token}++`, 60_000)).toEqual({ kind: "invalid" });
});

test("a session ends at its end, however often its tokens were passed on", async () => {
  const { token, ...ids } = await session();
  await bench.sql("UPDATE sessions SET expires_at = now() + interval '1 hour' WHERE id = $1", [ids.sessionId]);
  await rotate(token);
  const rows = await bench.sql<{ late: boolean }>(
    "SELECT r.expires_at > s.expires_at AS late FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id WHERE r.hash = $1",
    [hash(`${token}+`)],
  );
  expect(rows).toEqual([{ late: false }]);
  await bench.sql("UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = $1", [ids.sessionId]);
  expect(await findSession(bench.db, ids)).toBeNull();
  expect(await rotate(`${token}+`)).toEqual({ kind: "invalid" });
});

test("tries lock for twice as long each time, to a bound, and are forgotten after an hour", async () => {
  const lock = { after: 2, firstSeconds: 30, mostSeconds: 100 };
  const bucket = uuidV7();
  const lockedFor = async () => {
    await bench.sql("UPDATE login_attempts SET locked_until = now() - interval '1 second' WHERE bucket = $1", [bucket]);
    expect(await countAttempt(bench.db, bucket, lock)).toEqual({ admitted: true, locks: true });
    const refused = await countAttempt(bench.db, bucket, lock);
    return refused.admitted ? 0 : refused.retryAfterSeconds;
  };
  expect(await countAttempt(bench.db, bucket, lock)).toEqual({ admitted: true, locks: false });
  expect(await lockedFor()).toBeCloseTo(30, -1);
  expect(await lockedFor()).toBeCloseTo(60, -1);
  expect(await lockedFor()).toBeCloseTo(100, -1);
  expect(await lockedFor()).toBeCloseTo(100, -1);
  await bench.sql(
    "UPDATE login_attempts SET locked_until = now() - interval '1 second', last_at = now() - interval '61 minutes' WHERE bucket = $1",
    [bucket],
  );
  expect(await countAttempt(bench.db, bucket, lock)).toEqual({ admitted: true, locks: false });
  await clearAttempts(bench.db, { account: bucket, address: uuidV7() });
  expect(await bench.sql("SELECT 1 FROM login_attempts WHERE bucket = $1", [bucket])).toEqual([]);
});

test("what has been over for a month is forgotten, and what is not stays", async () => {
  const [old, ended, open] = [await session(), await session(), await session()];
  await bench.sql("UPDATE sessions SET expires_at = now() - interval '31 days' WHERE id = $1", [old.sessionId]);
  await bench.sql("UPDATE sessions SET revoked_at = now() - interval '29 days' WHERE id = $1", [ended.sessionId]);
  const invitations = tenantInvitations(bench.db, bench.tenant.id);
  const invite = (days: number) =>
    invitations.create({
      ...{ email: "i@example.com", role: "viewer", tokenHash: hash(uuidV7()) },
      expiresAt: new Date(Date.now() + days * 86_400_000),
    });
  await invite(-31);
  const kept = await invite(1);
  await bench.sql("INSERT INTO login_attempts (bucket, count, last_at) VALUES ('old', 1, now() - interval '31 days')");
  const objects = {
    async *list() {},
    stat: async () => null,
    remove: async () => false,
    sweepTemporary: async () => 0,
  };
  await runRetention({
    ...{ db: bench.db, objects, actor: "retention", signal: new AbortController().signal },
    policy: { audioHours: 24, jobHours: 0 },
  });
  const left = await bench.sql<{ id: string }>("SELECT id FROM sessions WHERE id = ANY($1) ORDER BY id", [
    [old.sessionId, ended.sessionId, open.sessionId],
  ]);
  expect(left.map(({ id }) => id)).toEqual([ended.sessionId, open.sessionId]);
  expect(await bench.sql("SELECT id FROM invitations")).toEqual([{ id: kept.id }]);
  expect(await bench.sql("SELECT 1 FROM login_attempts WHERE bucket = 'old'")).toEqual([]);
  expect(await bench.sql("SELECT 1 FROM refresh_tokens WHERE session_id = $1", [old.sessionId])).toEqual([]);
});
