import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { startProcess } from "@scribe/testing";

const scripts = resolve(import.meta.dirname, "../../scripts");
const folder = mkdtempSync(join(tmpdir(), "scribe bootstrap "));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, source: string): string {
  const path = join(folder, name);
  writeFileSync(path, source);
  return path;
}

/** A program that runs `file` as bootstrap runs a task. */
function runner(file: string): string {
  const door = JSON.stringify(join(scripts, "setup/run-program.mjs"));
  return write(
    `run-${file.replace(/\W+/g, "-")}.mjs`,
    `import { runProgram } from ${door};
     process.exitCode = await runProgram(process.execPath, { file: ${JSON.stringify(file)}, args: ["a b"] });`,
  );
}

test("a task's output, arguments and exit code are its own", async () => {
  const task = startProcess(runner(write("codes.mjs", "console.log(process.argv.at(-1)); process.exit(7);")));
  expect(await task.exit).toEqual({ code: 7, signal: null });
  expect(task.output()).toBe("a b\n");
});

test("a signal reaches the task, and its end is waited for", async () => {
  const source = `process.on("SIGTERM", () => setTimeout(() => { console.log("ended in order"); process.exit(0); }, 200));
    console.log("up"); setInterval(() => {}, 1000);`;
  const task = startProcess(runner(write("patient.mjs", source)));
  await task.waitForOutput(/up/);
  task.signal("SIGTERM");
  expect((await task.exit).code).toBe(0);
  expect(task.output()).toContain("ended in order");
});

test("a task that a signal ended gives 128 and its number", async () => {
  const task = startProcess(
    runner(write("killed.mjs", `process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000);`)),
  );
  expect((await task.exit).code).toBe(137);
});

test("a task whose file is missing is named", async () => {
  const task = startProcess(runner(join(folder, "nowhere.mjs")));
  expect((await task.exit).code).toBe(1);
  expect(task.output()).toContain("nowhere.mjs is not there");
});

test("an unknown task names those there are", async () => {
  const task = startProcess(join(scripts, "bootstrap.mjs"), {}, { args: ["fly"] });
  expect((await task.exit).code).toBe(1);
  expect(task.stdout()).toBe("");
  expect(task.output()).toMatch(/No such task: fly\. There are: setup, demo, start/);
});

test("of set-ups that run at once one works at a time, and one that was killed holds up none", async () => {
  const leave = join(folder, "leave");
  const source = `import { existsSync } from "node:fs";
    const { withLock } = await import(process.env.CLONE + "/scripts/setup/with-lock.mjs");
    await withLock(async () => {
      console.log("in", Date.now());
      while (!existsSync(${JSON.stringify(leave)})) await new Promise((go) => setTimeout(go, 20));
      console.log("out", Date.now());
    });`;
  // A clone of its own, so that the lock is not the one of the project.
  cpSync(scripts, join(folder, "scripts"), { recursive: true });
  const entry = write("lock.mjs", source);
  const start = () => startProcess(entry, { CLONE: folder });

  const killed = start();
  await killed.waitForOutput(/in \d+/);
  await killed.kill();

  const first = start();
  await first.waitForOutput(/in \d+/);
  const second = start();
  await second.waitForOutput(/Another set-up runs here \(process \d+\): waiting for it/);
  expect(second.output()).not.toMatch(/in \d+/);
  writeFileSync(leave, "");
  await Promise.all([first.exit, second.exit]);
  const moment = (output: string, what: RegExp) => Number(what.exec(output)?.[1]);
  expect(moment(second.output(), /in (\d+)/)).toBeGreaterThanOrEqual(moment(first.output(), /out (\d+)/));
});
