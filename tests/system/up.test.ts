import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startProcess, startTestStack, type TestStack, waitFor } from "@scribe/testing";
import { descendants, isAlive } from "./process-tree.ts";

const CLI = resolve(import.meta.dirname, "../../apps/cli/src/main.ts");

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
}, 90_000);
afterAll(() => stack?.stop(), 60_000);

const scribe = async (env: Record<string, string>, ...args: string[]) => {
  const child = startProcess(CLI, { SCRIBE_DATA_DIR: stack.dataDir, ...env }, { args });
  const { code } = await child.exit;
  return { code, stdout: child.stdout().trim(), output: child.output() };
};

test("commands of a moment use the database that the stack runs", async () => {
  const made = await scribe({}, "keys", "create", "--name", "second", "--scopes", "read");
  expect(made.code).toBe(0);
  const answer = await fetch(`${stack.url}/api/v1/jobs`, { headers: { "x-api-key": made.stdout } });
  expect(answer.status).toBe(200);
  const status = await scribe({}, "db", "status", "--json");
  expect(JSON.parse(status.stdout)).toMatchObject({ pending: [], drift: null, up_to_date: true });
}, 60_000);

test("the development key, the encryption key and the secret of tokens are their owner's alone", () => {
  for (const name of ["local-key", "encryption-key", "jwt-secret"]) {
    expect(statSync(join(stack.dataDir, name)).mode & 0o777).toBe(0o600);
  }
  expect(readFileSync(join(stack.dataDir, "local-key"), "utf8").trim()).toBe(stack.key);
});

test("on one machine alone people log in from the start", async () => {
  const body = JSON.stringify({ email: "ann@example.com", password: "correct horse battery" });
  const headers = { "content-type": "application/json" };
  const made = await fetch(`${stack.url}/api/v1/auth/register`, { method: "POST", headers, body });
  expect(made.status).toBe(201);
  const { access_token } = (await made.json()) as { access_token: string };
  const jobs = await fetch(`${stack.url}/api/v1/jobs`, { headers: { authorization: `Bearer ${access_token}` } });
  expect(await jobs.json()).toEqual({ data: [], next_cursor: null });
}, 60_000);

test("a second stack on the same folder is refused, and the first goes on", async () => {
  const second = await scribe({ PORT: "0", WORKER_PORT: "0", METRICS_PORT: "0" }, "up");
  expect(second).toMatchObject({ code: 1, output: expect.stringContaining(`already runs on ${stack.dataDir}`) });
  expect((await fetch(`${stack.url}/ready`)).status).toBe(200);
}, 60_000);

test("a part that is killed is started again", async () => {
  const find = () => descendants(stack.process.pid).find(({ command }) => command.includes("apps/api/src/main.ts"));
  const before = find();
  process.kill(before!.pid, "SIGKILL");
  await stack.process.waitForOutput(/The api ended \(SIGKILL\); starting it again/);
  await waitFor(async () => find()?.pid !== before!.pid && (await fetch(`${stack.url}/ready`)).ok, {
    timeoutMs: 30_000,
  });
}, 60_000);

test("where the stack is killed, nothing of it stays behind; the next start has the same key", async () => {
  const processes = descendants(stack.process.pid);
  const commands = processes.map(({ command }) => command).join("\n");
  for (const part of ["apps/api", "apps/worker", "bin/postgres"]) expect(commands).toContain(part);
  process.kill(stack.process.pid, "SIGKILL");
  await waitFor(() => processes.every(({ pid }) => !isAlive(pid)), {
    timeoutMs: 25_000,
    what: "the end of all that the stack started",
  });
  const again = startProcess(
    CLI,
    { SCRIBE_DATA_DIR: stack.dataDir, PORT: "0", WORKER_PORT: "0", METRICS_PORT: "0", HF_HUB_OFFLINE: "1" },
    { args: ["up", "--json"] },
  );
  const [line] = await again.waitForOutput(/\{"ready":true.*\}/, 60_000);
  expect(JSON.parse(line).key).toBe(stack.key);
  again.signal("SIGINT");
  expect((await again.exit).code).toBe(0);
}, 120_000);

test("a port that was asked for and is taken ends the start with an error that says so", async () => {
  const busy = createServer();
  await new Promise<void>((done) => busy.listen(0, "127.0.0.1", done));
  const { port } = busy.address() as { port: number };
  try {
    const { code, output } = await scribe({}, "up", "--port", String(port));
    expect(code).toBe(1);
    expect(output).toContain(`Port ${port} is taken by another program. Set PORT to a free one`);
  } finally {
    busy.close();
  }
}, 60_000);

test("a part that cannot start ends the stack with an error and leaves nothing", async () => {
  const child = startProcess(
    CLI,
    {
      SCRIBE_DATA_DIR: stack.dataDir,
      PORT: "0",
      WORKER_PORT: "0",
      METRICS_PORT: "0",
      HF_HUB_OFFLINE: "1",
      SCRIBE_ADMIN_KEY: "too-short",
    },
    { args: ["up"] },
  );
  const started = new Set<number>();
  const watch = setInterval(() => {
    for (const { pid } of descendants(child.pid)) started.add(pid);
  }, 100);
  try {
    expect((await child.exit).code).toBe(1);
    expect(child.output()).toContain("SCRIBE_ADMIN_KEY is not well-formed");
    expect(child.output()).toContain("The api ended while it started (exit code 1)");
    expect(started.size).toBeGreaterThan(0);
    await waitFor(() => [...started].every((pid) => !isAlive(pid)), { timeoutMs: 10_000 });
  } finally {
    clearInterval(watch);
    await child.kill();
  }
}, 60_000);
