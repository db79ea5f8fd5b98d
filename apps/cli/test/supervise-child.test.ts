import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startProcess, waitFor } from "@scribe/testing";
import { superviseChild } from "../src/stack/supervise-child.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "scribe-child-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function supervise(code: string) {
  const entry = join(folder, "part.mjs");
  const output = join(folder, "output");
  writeFileSync(entry, code);
  const said: string[] = [];
  const child = superviseChild({
    ...{ name: "part", entry, env: process.env, output: openSync(output, "w"), firstDelayMs: 20 },
    log: (line) => said.push(line),
  });
  return { child, said, output: () => readFileSync(output, "utf8") };
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    // A zombie that nobody has waited for yet is no process any more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

test("a part that ends while it starts is told, with its exit code, and not started again", async () => {
  const { child, said } = supervise("process.exit(7)");
  await expect(child.failedToStart).rejects.toThrow("The part ended while it started (exit code 7).");
  expect(said).toEqual([]);
});

test("a part that dies later is started again, each time a little later", async () => {
  const { child, said, output } = supervise("console.log('on'); setTimeout(() => process.exit(1), 10)");
  child.keepAlive();
  await waitFor(() => output().split("on").length > 3);
  await child.stop(1000);
  expect(said.slice(0, 2)).toEqual([
    "The part ended (exit code 1); starting it again in 0.02 s.",
    "The part ended (exit code 1); starting it again in 0.04 s.",
  ]);
});

test("stop asks first", async () => {
  const { child, output } = supervise(
    "setInterval(() => {}, 1000); process.on('SIGTERM', () => { console.log('bye'); process.exit() }); console.log('on')",
  );
  child.keepAlive();
  await waitFor(() => output().includes("on"));
  await child.stop(5000);
  expect(output()).toContain("bye");
});

test("a part that does not listen is killed after the grace, with its own children", async () => {
  const { child, said, output } = supervise(`
    import { spawn } from "node:child_process";
    process.on("SIGTERM", () => {});
    console.log(spawn("sleep", ["60"]).pid, process.pid);
  `);
  child.keepAlive();
  const [, grandchild, pid] = (await waitFor(() => output().match(/(\d+) (\d+)/)))!;
  await child.stop(50);
  expect(said).toEqual(["The part did not end within 0.05 s and is killed."]);
  await waitFor(() => !alive(Number(grandchild)) && !alive(Number(pid)));
});

test("where the process that started them is killed, parts stop as on SIGTERM", async () => {
  const part = join(folder, "part.mjs");
  const marker = join(folder, "stopped");
  writeFileSync(
    part,
    `import { writeFileSync } from "node:fs";
     setInterval(() => {}, 1000);
     process.on("SIGTERM", () => { writeFileSync(${JSON.stringify(marker)}, "yes"); process.exit() });
     console.log("part", process.pid, "is on");`,
  );
  const parent = join(folder, "parent.ts");
  const door = join(import.meta.dirname, "../src/stack/supervise-child.ts");
  writeFileSync(
    parent,
    `import { superviseChild } from ${JSON.stringify(door)};
     superviseChild({ name: "part", entry: ${JSON.stringify(part)}, env: process.env, output: 1, log: console.log });`,
  );
  const process_ = startProcess(parent);
  const [, pid] = await process_.waitForOutput(/part (\d+) is on/);
  process_.signal("SIGKILL");
  await waitFor(() => !alive(Number(pid)));
  expect(readFileSync(marker, "utf8")).toBe("yes");
});
