import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { startProcess, waitFor } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "scribe-process-"));
afterAll(() => rmSync(folder, { recursive: true }));

function script(name: string, source: string): string {
  const path = join(folder, name);
  writeFileSync(path, source);
  return path;
}

/** A zombie that its parent has not collected yet counts as ended. */
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};

test("tells what a process said and how it ended", async () => {
  const child = startProcess(
    script("says.mjs", `console.log(process.env.GREETING); console.error("oh"); process.exit(3);`),
    {
      GREETING: "hello",
    },
  );
  expect(await child.exit).toEqual({ code: 3, signal: null });
  expect(child.stdout()).toBe("hello\n");
  expect(child.output()).toContain("oh\n");
  await expect(child.waitForOutput(/never/)).rejects.toThrow(/ended before it said \/never\/:\nhello/);
});

test("our environment stays ours", async () => {
  process.env.SCRIBE_SECRET_OF_THE_PARENT = "1";
  const child = startProcess(script("env.mjs", "console.log(Object.keys(process.env).sort().join())"));
  await child.exit;
  delete process.env.SCRIBE_SECRET_OF_THE_PARENT;
  expect(child.stdout()).not.toContain("SCRIBE_SECRET_OF_THE_PARENT");
});

test("stop lets the process end by itself, then kills what is left of its tree", async () => {
  const child = startProcess(
    script(
      "tree.mjs",
      `import { spawn } from "node:child_process";
       const sub = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
       process.on("SIGTERM", () => { console.log("bye"); process.exit(0); });
       console.log("sub", sub.pid);`,
    ),
  );
  const [, pid] = await child.waitForOutput(/sub (\d+)/);
  expect(await child.stop()).toEqual({ code: 0, signal: null });
  expect(child.output()).toContain("bye");
  await waitFor(() => !isAlive(Number(pid)), { what: "the grandchild to end" });
});

test("a process that ignores SIGTERM is killed", async () => {
  const child = startProcess(
    script("stubborn.mjs", `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up");`),
  );
  await child.waitForOutput(/up/);
  expect(await child.stop(100)).toEqual({ code: null, signal: "SIGKILL" });
});

test("what we started dies with us, also by kill -9", async () => {
  const inner = script("inner.mjs", `console.log("inner", process.pid); setInterval(() => {}, 1000);`);
  const door = JSON.stringify(join(import.meta.dirname, "../src/start-process.ts"));
  const outer = startProcess(
    script(
      "outer.mjs",
      `const { startProcess } = await import(${door});
       const child = startProcess(${JSON.stringify(inner)});
       await child.waitForOutput(/inner/);
       console.log(child.output());
       setInterval(() => {}, 1000);`,
    ),
  );
  const [, pid] = await outer.waitForOutput(/inner (\d+)/);
  expect(isAlive(Number(pid))).toBe(true);
  process.kill(outer.pid, "SIGKILL");
  await waitFor(() => !isAlive(Number(pid)), { what: "the inner process to end" });
});

test("a program that is not there ends with its error in the output", async () => {
  const child = startProcess(join(folder, "missing.mjs"));
  expect((await child.exit).code).toBe(1);
  expect(child.output()).toContain("missing.mjs");
});

test("waitFor gives up with the reason", async () => {
  const never = () => {
    throw new Error("not yet");
  };
  await expect(waitFor(never, { timeoutMs: 50, what: "rain" })).rejects.toThrow("Waited 50 ms for rain (not yet)");
});
