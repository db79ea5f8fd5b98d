import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { LoadedModels, type ModelLimits } from "../src/runtime/loaded-models.ts";
import type { WhisperModel } from "../src/sessions/whisper-model.ts";
import { NANO } from "./build/samples.ts";

let folder: string;
let log: string[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "models-"));
  log = [];
  for (const name of ["a", "b", "c"]) {
    await cp(NANO, join(folder, name), {
      recursive: true,
      filter: (path) => !/onnx|safetensors/.test(path),
    });
    writeFileSync(join(folder, name, "model.safetensors"), Buffer.alloc(1000));
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Models whose networks do nothing; what is opened and closed is written down. */
function loadedModels(limits: Partial<ModelLimits> = {}) {
  const name = (path: string) => path.slice(folder.length + 1);
  return new LoadedModels(
    { executionProviders: ["cpu"], intraOpThreads: 1 },
    { idleMs: 10_000, deadlineFloorMs: 1000, ...limits },
    { announce: () => () => {}, onUnloaded: () => log.push("unloaded") },
    async (model) => {
      log.push(`open ${name(model.folder)}`);
      await sleep(5);
      const network = { maxBatch: 1, canAlign: false, close: async () => void log.push(`close ${name(model.folder)}`) };
      return {
        network: network as unknown as WhisperModel,
        computation: { provider: "cpu", precision: "fp32", graphs: "compiled" },
      };
    },
  );
}
const hold = (models: LoadedModels, name: string, signal?: AbortSignal) =>
  models.hold(join(folder, name), "key", signal);

describe("models in memory", () => {
  test("are loaded once, however many ask at the same time", async () => {
    const models = loadedModels();
    const held = await Promise.all([1, 2, 3].map(() => hold(models, "a")));
    expect(log).toEqual(["open a"]);
    expect(held[0].computation()).toBe("cpu/fp32/compiled");
    expect(new Set(held.map(({ shared }) => shared)).size).toBe(1);
  });

  test("leave when nobody has used them for a while", async () => {
    const models = loadedModels({ idleMs: 20 });
    const [one, other] = [await hold(models, "a"), await hold(models, "a")];
    one.release();
    one.release();
    await sleep(60);
    expect(log).toEqual(["open a"]);
    other.release();
    await sleep(60);
    expect(log).toEqual(["open a", "close a", "unloaded"]);
    await hold(models, "a");
    expect(log.at(-1)).toBe("open a");
  });

  test("make room for others when memory is short, the least recently used first", async () => {
    const models = loadedModels({ memoryBytes: 2500 });
    (await hold(models, "a")).release();
    (await hold(models, "b")).release();
    (await hold(models, "a")).release();
    await hold(models, "c");
    expect(log).toEqual(["open a", "open b", "close b", "unloaded", "open c"]);
  });

  test("are waited for in line where all that would have to leave are in use; one alone may need more than there is", async () => {
    const models = loadedModels({ memoryBytes: 500 });
    const a = await hold(models, "a");
    const order: string[] = [];
    const b = hold(models, "b").then((held) => {
      order.push("b");
      return held;
    });
    const c = hold(models, "c").then((held) => {
      order.push("c");
      return held;
    });
    // Who uses what is there already does not wait.
    (await hold(models, "a")).release();
    await sleep(30);
    expect(order).toEqual([]);
    a.release();
    (await b).release();
    await c;
    expect(order).toEqual(["b", "c"]);
    expect(log.filter((line) => line !== "unloaded")).toEqual(["open a", "close a", "open b", "close b", "open c"]);
  });

  test("are not waited for by who was cancelled, and the next in line goes on", async () => {
    const models = loadedModels({ memoryBytes: 500 });
    const a = await hold(models, "a");
    const stop = new AbortController();
    const cancelled = hold(models, "b", stop.signal);
    const c = hold(models, "c");
    setTimeout(() => stop.abort(new Error("cancelled")), 20);
    await expect(cancelled).rejects.toThrow("cancelled");
    await expect(hold(models, "b", AbortSignal.abort(new Error("too late")))).rejects.toThrow("too late");
    a.release();
    await c;
    expect(log).not.toContain("open b");
  });

  test("that are half there fail who asks, and nobody else; whole again, they are loaded", async () => {
    const models = loadedModels();
    const a = await hold(models, "a");
    await rm(join(folder, "b/config.json"));
    await expect(hold(models, "b")).rejects.toMatchObject({ code: "model_unavailable" });
    await cp(join(folder, "a/config.json"), join(folder, "b/config.json"));
    expect((await hold(models, "b")).computation()).toBe("cpu/fp32/compiled");
    expect(log).toEqual(["open a", "open b"]);
    a.release();
  });
});
