import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { type ChildExit, type SpeechRuntime, type SpeechRuntimeSettings, startSpeechRuntime } from "../src/index.ts";
import { collect } from "./build/collect.ts";
import { CPU, never, request, useSpeechFolder, withRuntime } from "./build/runtime-bench.ts";
import { NANO } from "./build/samples.ts";

const { folder, long } = useSpeechFolder();

const nextExit = (own: SpeechRuntime) => new Promise<ChildExit>((resolve) => own.on("child-exit", resolve));
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("the child", () => {
  test("that dies ends its requests as worker_crashed; the next one starts another", async () => {
    await withRuntime({}, async (own) => {
      const exit = nextExit(own);
      const running = collect(own.transcribe(request({}, { pcmPath: long, id: "victim" }), never));
      setTimeout(() => process.kill(own.health().pid ?? 0, "SIGKILL"), 600);
      await expect(running).rejects.toMatchObject({ code: "worker_crashed", retryable: true });
      expect(await exit).toMatchObject({ signal: "SIGKILL", requests: ["victim"] });
      expect(own.health()).toMatchObject({ state: "stopped", activeRequests: 0, childStarts: 1 });
      expect((await collect(own.transcribe(request(), never))).text).toContain("coffee");
      expect(own.health()).toMatchObject({ state: "running", childStarts: 2 });
    });
  });

  test("that passes a deadline is killed: timeout for the request it worked on, worker_crashed for the others", async () => {
    await withRuntime({ deadlineFloorMs: 200 }, async (own) => {
      await collect(own.transcribe(request(), never));
      const exit = nextExit(own);
      const stuck = [1, 2].map(() => collect(own.transcribe(request({}, { pcmPath: long }), never)));
      const ends = Promise.allSettled(stuck);
      await sleep(400);
      process.kill(own.health().pid ?? 0, "SIGSTOP");
      const codes = (await ends).map((end) => (end.status === "rejected" ? end.reason.code : end.status));
      expect(codes.sort()).toEqual(["timeout", "worker_crashed"]);
      expect((await exit).reason).toMatch(/passed its deadline of \d+ ms/);
      expect((await collect(own.transcribe(request(), never))).text).toContain("coffee");
    });
  });

  test("ends when nothing was asked for a while", async () => {
    await withRuntime({ modelIdleSeconds: 0.3 }, async (own) => {
      const exit = nextExit(own);
      await collect(own.transcribe(request(), never));
      expect(await exit).toMatchObject({ reason: "it was idle", requests: [] });
      expect((await collect(own.transcribe(request(), never))).text).toContain("coffee");
    });
  });

  test("that has unloaded a model for another ends when nobody needs it, and gives the memory back", async () => {
    const other = join(folder, "another");
    await cp(NANO, other, { recursive: true });
    await withRuntime({ modelMemoryBytes: 1 }, async (own) => {
      const exit = nextExit(own);
      const both = [request(), request({}, { model: other })].map((asked) => collect(own.transcribe(asked, never)));
      for (const { text } of await Promise.all(both)) expect(text).toContain("coffee");
      expect(await exit).toMatchObject({ reason: "it gave a model's memory back", requests: [] });
      expect((await collect(own.transcribe(request(), never))).text).toContain("coffee");
      expect(own.health().childStarts).toBe(2);
    });
  });

  test("loads a model ahead of time, compiles it once, and tells how full its runs are", async () => {
    const shares: number[] = [];
    const graphs = { cacheFolder: join(folder, "graphs"), precision: "auto" as const };
    const settings: Partial<SpeechRuntimeSettings> = {
      graphs,
      onRuns: (runs) => shares.push(...runs.map(([share]) => share)),
    };
    await withRuntime(settings, async (own) => {
      await expect(own.preload(join(folder, "nowhere"), never)).rejects.toMatchObject({ code: "model_unavailable" });
      expect(await own.preload(NANO, never)).toBe("cpu/fp32/compiled");
      const { events, text } = await collect(own.transcribe(request(), never));
      expect(text).toContain("coffee");
      expect(events).toContainEqual({ type: "model", computation: "cpu/fp32/compiled" });
      expect(events).not.toContainEqual(expect.objectContaining({ operation: "load" }));
      for (let tries = 0; shares.length === 0 && tries < 100; tries++) await sleep(50);
      for (const share of shares) expect(share).toBeGreaterThan(0);
      expect(own.health().childStarts).toBe(1);
    });
  });

  test("ends with its runtime, whose requests are cancelled", async () => {
    const own = startSpeechRuntime(CPU);
    const running = collect(own.transcribe(request({}, { pcmPath: long }), never));
    const ended = expect(running).rejects.toMatchObject({ code: "cancelled" });
    await sleep(300);
    const { pid } = own.health();
    await own.close();
    await ended;
    expect(isAlive(pid ?? 0)).toBe(false);
    expect(own.health().state).toBe("closed");
    await expect(collect(own.transcribe(request(), never))).rejects.toMatchObject({ code: "cancelled" });
  });

  test("ends when its parent is killed", async () => {
    const script = `
      import { startSpeechRuntime } from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)};
      const runtime = startSpeechRuntime(${JSON.stringify(CPU)});
      const request = ${JSON.stringify(request({}, { pcmPath: long }))};
      for await (const { type } of runtime.transcribe(request, new AbortController().signal)) {
        if (type === "window") console.log(runtime.health().pid);
      }`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(parent.stdout, "data");
    const pid = Number.parseInt(String(line), 10);
    expect(isAlive(pid)).toBe(true);
    parent.kill("SIGKILL");
    for (let tries = 0; isAlive(pid) && tries < 100; tries++) await sleep(50);
    expect(isAlive(pid)).toBe(false);
  });
});
