import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openDatabase, readAudit } from "@scribe/database";
import { createTestDatabase, startProcess, type TestDatabase } from "@scribe/testing";

const CLI = resolve(import.meta.dirname, "../src/main.ts");

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
}, 60_000);
afterAll(() => database?.drop());

const encryptionKey = randomBytes(32).toString("base64");

async function scribe(...args: string[]) {
  const child = startProcess(CLI, { DATABASE_URL: database.url, SCRIBE_ENCRYPTION_KEY: encryptionKey }, { args });
  const { code } = await child.exit;
  return { code, output: child.output(), stdout: child.stdout().trim() };
}

test("a key is made, listed without its secret, and revoked", async () => {
  const made = await scribe("keys", "create", "--name", "laptop", "--scopes", "transcribe,manage", "--expires", "90d");
  expect(made.code).toBe(0);
  expect(made.stdout).toMatch(/^sr_[A-Za-z0-9]{8}_[A-Za-z0-9]{40}$/);
  expect(made.output).toContain("It is not shown again.");
  const id = made.stdout.slice(0, 11);

  const list = await scribe("keys", "list");
  expect(list.stdout).toMatch(new RegExp(`${id}_… +laptop +transcribe,manage +active`));
  expect(list.stdout).not.toContain(made.stdout);

  const revoked = await scribe("keys", "revoke", made.stdout, "--json");
  expect(JSON.parse(revoked.stdout)).toMatchObject({ revoked: true });
  const after = JSON.parse((await scribe("keys", "list", "--json")).stdout);
  expect(after.keys).toMatchObject([{ name: "laptop", revoked_at: expect.any(String) }]);
  expect(after.keys[0].expires_at).not.toBeNull();
});

test("a key is rotated: the new one is printed once, the old one ends, and the audit log says who did it", async () => {
  const made = JSON.parse((await scribe("keys", "create", "--tenant", "turning", "--name", "ci", "--json")).stdout);
  const rotate = (...more: string[]) => scribe("keys", "rotate", made.public_id, "--tenant", "turning", ...more);
  const rotated = await rotate("--overlap", "1h");
  expect(rotated.stdout).toMatch(/^sr_[A-Za-z0-9]{8}_[A-Za-z0-9]{40}$/);
  expect(rotated.output).toContain("works until");
  const { keys } = JSON.parse((await scribe("keys", "list", "--tenant", "turning", "--json")).stdout);
  expect(keys).toHaveLength(2);
  expect(keys[0].expires_at).not.toBeNull();
  expect(keys[1]).toMatchObject({ name: "ci", scopes: ["transcribe"], expires_at: null });

  expect(await rotate("--overlap", "soon")).toMatchObject({ code: 2, output: expect.stringContaining("is no time") });
  expect((await rotate("--overlap", "0s")).code).toBe(0);
  expect(await rotate()).toMatchObject({ code: 2, output: expect.stringContaining("is revoked or has expired") });

  const db = openDatabase({
    url: database.url,
    poolSize: 1,
    applicationName: "test",
    encryptionKey: Buffer.from(encryptionKey, "base64"),
  });
  const acts = (await readAudit(db, { limit: 100, actor: "cli" })).filter(({ target }) => target === made.id);
  await db.close();
  expect(acts.map(({ action }) => action)).toEqual(["key.rotated", "key.rotated", "key.created"]);
}, 120_000);

test("secrets at rest are encrypted anew with the new key, and the old one is no longer needed", async () => {
  const next = randomBytes(32).toString("base64");
  await scribe("keys", "create", "--tenant", "sealed", "--name", "x");
  const run = async (env: Record<string, string>) => {
    const child = startProcess(CLI, { DATABASE_URL: database.url, ...env }, { args: ["secrets", "rotate", "--json"] });
    return { ...(await child.exit), output: child.output(), stdout: child.stdout() };
  };
  const wrong = await run({ SCRIBE_ENCRYPTION_KEY: next });
  expect(wrong).toMatchObject({ code: 1, output: expect.stringContaining("SCRIBE_ENCRYPTION_KEY") });
  const both = { SCRIBE_ENCRYPTION_KEY: next, SCRIBE_ENCRYPTION_KEY_BEFORE: encryptionKey };
  const first = JSON.parse((await run(both)).stdout);
  expect(first.rotated).toBeGreaterThanOrEqual(1);
  expect(first.rotated).toBe(first.checked);
  expect(JSON.parse((await run({ SCRIBE_ENCRYPTION_KEY: next })).stdout)).toEqual({
    checked: first.checked,
    rotated: 0,
  });
}, 120_000);

test("another tenant's keys are its own", async () => {
  const made = JSON.parse((await scribe("keys", "create", "--tenant", "research", "--name", "batch", "--json")).stdout);
  expect(made).toMatchObject({ key: expect.stringMatching(/^sr_/), scopes: ["transcribe"], expires_at: null });
  expect((await scribe("keys", "list")).stdout).not.toContain(made.public_id);
  const missed = await scribe("keys", "revoke", made.public_id);
  expect(missed).toMatchObject({ code: 2, output: expect.stringContaining('Tenant "default" has no key') });
});

test("wrong usage exits 2 and says what is right", async () => {
  const [noName, badScope, noTenant, noCommand] = await Promise.all([
    scribe("keys", "create"),
    scribe("keys", "create", "--name", "x", "--scopes", "everything"),
    scribe("keys", "list", "--tenant", "nobody"),
    scribe("kyes"),
  ]);
  expect(noName).toMatchObject({ code: 2, output: expect.stringContaining("--name") });
  expect(badScope).toMatchObject({
    code: 2,
    output: expect.stringContaining("there are transcribe, read, manage, admin"),
  });
  expect(noTenant).toMatchObject({ code: 2, output: expect.stringContaining('There is no tenant "nobody"') });
  expect(noCommand).toMatchObject({ code: 2, output: expect.stringContaining("unknown command 'kyes'") });
});

test("a wrong configuration exits 2 and names every wrong setting", async () => {
  const child = startProcess(CLI, { DATABASE_URL: "mysql://x", PORT: "many" }, { args: ["keys", "list"] });
  expect((await child.exit).code).toBe(2);
  expect(child.output()).toContain("DATABASE_URL must be a URL that begins with postgres://");
  expect(child.output()).toContain("PORT must be a whole number");
});

test("help teaches, and is no failure", async () => {
  const help = await scribe("--help");
  expect(help.code).toBe(0);
  expect(help.stdout).toContain("npm run keys -- create");
  expect(help.stdout).toContain("Exit codes: 0 done, 1 failed, 2 wrong usage");
});
