import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { CompiledFiles } from "../src/compile/compile-model.ts";
import { compileModel, filesIn } from "../src/compile/compile-model.ts";
import { CompiledModel } from "../src/compile/compiled-model.ts";
import type { GraphBuilder } from "../src/compile/graph-builder.ts";
import { LogMel } from "../src/features/log-mel.ts";
import type { ModelFolder } from "../src/model/read-model-folder.ts";
import { LoadedModels } from "../src/runtime/loaded-models.ts";
import { SharedModel } from "../src/runtime/shared-model.ts";
import type { ProviderFallback } from "../src/sessions/computation.ts";
import { ModelWithFallback } from "../src/sessions/model-with-fallback.ts";
import type { ModelSettings } from "../src/sessions/open-whisper-model.ts";
import { NANO } from "./build/samples.ts";
import { anyAbove, breakGraph, exhaustWhere, failWhere, rowsAbove } from "./compile/break-graph.ts";
import { randomModel } from "./compile/fixture-model.ts";
import { hearAll, hearOne, melsOf, requestOf } from "./compile/hear-windows.ts";

const HEADS = [[0, 1]] as const;
const never = new AbortController().signal;

let folder: string;
let model: ModelFolder;
let sound: CompiledFiles;
let fallbacks: ProviderFallback[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "fallback-"));
  model = randomModel(folder);
  sound = await compileModel(model, options());
  fallbacks = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const options = () =>
  ({ modelHash: "hash", precision: "fp32", alignmentHeads: HEADS, cacheFolder: join(folder, "cache") }) as const;

type Graph = "features" | "encoder" | "decoder" | "alignment" | "whole";

const openFiles = (files: CompiledFiles) =>
  CompiledModel.open(model, files, HEADS, { executionProviders: ["cpu"], intraOpThreads: 1 });

/** The same graphs, one of which fails as it runs. */
async function openBroken(graph: Graph, add: (g: GraphBuilder) => string) {
  const broken = join(folder, `broken-${graph}`);
  const form = graph === "whole" ? "whole" : "loop";
  const { folder: own } = form === "loop" ? sound : await compileModel(model, { ...options(), form });
  cpSync(own, broken, { recursive: true });
  breakGraph(join(broken, `${graph}.onnx`), add);
  return openFiles(filesIn(broken, form, true));
}

/** A model whose first provider breaks in the middle of its work, as the service holds it. */
function loadedModels(graph: Graph, add: (g: GraphBuilder) => string, executionProviders = ["webgpu", "cpu"]) {
  const open = async (_model: ModelFolder, settings: ModelSettings) => {
    const [provider] = settings.executionProviders;
    const network = provider === "cpu" ? await openFiles(sound) : await openBroken(graph, add);
    return { network, computation: { provider, precision: "fp32", graphs: "compiled" } as const };
  };
  const settings = {
    executionProviders,
    intraOpThreads: 1,
    onFallback: (told: ProviderFallback) => fallbacks.push(told),
  };
  return new LoadedModels(settings, { idleMs: 10_000, deadlineFloorMs: 1000 }, { announce: () => () => {} }, open);
}

async function expected(windows: number) {
  const network = await openFiles(sound);
  const texts = await hearAll(model, new SharedModel(network), melsOf(windows));
  await network.close();
  // How many rows share a run shows in the last bits of a sum.
  return texts.map((text) => ({ ...text, sumLogprob: expect.closeTo(text.sumLogprob, 4) }));
}

describe("a provider that fails in the middle of its work", () => {
  const inMidText = (g: GraphBuilder) => failWhere(g, anyAbove(g, "past", 9));
  const atSixthWindow = (g: GraphBuilder) =>
    failWhere(
      g,
      anyAbove(
        g,
        g.op("Cast", [g.op("Slice", [g.op("Reshape", ["mel", g.ids(-1)]), g.ids(1), g.ids(2)])], {
          attributes: { to: { int: 6 } },
        }),
        -5,
      ),
    );

  test("is replaced by the next one, and the windows that it was at are decoded again", async () => {
    const held = await loadedModels("decoder", inMidText).hold(NANO, "a");
    expect(held.computation()).toBe("webgpu/fp32/compiled");
    const texts = await hearAll(model, held.shared, melsOf(11));
    expect(texts).toEqual(await expected(11));
    expect(texts.some(({ tokens }) => tokens.length > 12)).toBe(true);
    expect(held.computation()).toBe("cpu/fp32/compiled");
    expect(fallbacks).toEqual([{ from: "webgpu", to: "cpu", when: "run", reason: expect.stringContaining("Gather") }]);
    await held.close();
  });

  test("as it encodes: windows that it had encoded are encoded again", async () => {
    const held = await loadedModels("encoder", atSixthWindow).hold(NANO, "a");
    expect(await hearAll(model, held.shared, melsOf(4))).toEqual(await expected(4));
    expect(fallbacks).toHaveLength(1);
    await held.close();
  });

  test("as it goes from features to text in one run", async () => {
    const held = await loadedModels("whole", (g) => failWhere(g, rowsAbove(g, "counts", 0)), ["cuda", "cpu"]).hold(
      NANO,
      "a",
    );
    expect(held.shared.width).toBe(16);
    expect(await hearAll(model, held.shared, melsOf(11))).toEqual(await expected(11));
    expect(fallbacks).toMatchObject([{ from: "cuda", to: "cpu", when: "run" }]);
    expect(held.shared.width).toBe(8);
    await held.close();
    const most = (g: GraphBuilder) => exhaustWhere(g, rowsAbove(g, "counts", 4));
    const narrow = await loadedModels("whole", most, ["cuda"]).hold(NANO, "a");
    expect(await hearAll(model, narrow.shared, melsOf(8))).toEqual(await expected(8));
    expect(narrow.shared.width).toBe(4);
    await narrow.close();
  });

  test("as it searches or aligns", async () => {
    const always = (input: string) => (g: GraphBuilder) =>
      failWhere(g, g.op("Equal", [g.op("Size", [input]), g.op("Size", [input])]));
    const [mel] = melsOf(1);
    const act = async (models: LoadedModels) => {
      const held = await models.hold(NANO, "a");
      const lane = held.shared.lane("a");
      const window = await lane.encode(async () => mel, never);
      const beam = { beams: 3, patience: 1, lengthPenalty: null };
      const found = [
        await lane.search(window, requestOf(model), beam, never),
        await lane.align(window, [41, 43, 1, 2, 40], HEADS, 40, never),
        await lane.logitsAfter(window, [41], never),
      ];
      await held.close();
      return found;
    };
    const right = await act(loadedModels("decoder", inMidText, ["cpu"]));
    expect(fallbacks).toEqual([]);
    for (const [graph, add] of [
      ["decoder", inMidText],
      ["alignment", always("targets")],
    ] as const) {
      expect(await act(loadedModels(graph, add))).toEqual(right);
      expect(fallbacks.splice(0)).toMatchObject([{ from: "webgpu", to: "cpu", when: "run" }]);
    }
  });

  test("as it makes features, which the next one may leave to JavaScript", async () => {
    const samples = Float32Array.from({ length: 3200 }, (_, i) => (i < 700 ? Math.sin(i / 3) : 0));
    const right = new LogMel(model.features).window(samples, 20);
    const computation = (provider: string) => ({ provider, precision: "fp32", graphs: "compiled" }) as const;
    const broken = await openBroken("features", (g) =>
      failWhere(g, g.op("Cast", [g.op("Size", ["samples"])], { attributes: { to: { int: 9 } } })),
    );
    for (const without of [false, true]) {
      const next = await openFiles(sound);
      if (without) Object.defineProperty(next, "features", { value: undefined });
      const lasting = new ModelWithFallback(
        model,
        { network: broken, computation: computation("webgpu") },
        async () => {
          return { network: next, computation: computation("cpu") };
        },
      );
      const mel = (await lasting.features?.(samples, 1)) ?? [];
      expect(lasting.computation).toBe("cpu/fp32/compiled");
      expect(mel).toHaveLength(right.length);
      for (const [i, value] of mel.entries()) expect(Math.abs(value - right[i])).toBeLessThan(1e-4);
      await lasting.close();
    }
  });

  test("fails its windows where there is no other provider, and where it is not to blame", async () => {
    const alone = await loadedModels("decoder", inMidText, ["webgpu"]).hold(NANO, "a");
    await expect(hearAll(model, alone.shared, melsOf(2))).rejects.toThrow("Gather");
    await alone.close();
    const sober = await loadedModels("decoder", inMidText).hold(NANO, "a");
    const lane = sober.shared.lane("a");
    const window = await lane.encode(async () => melsOf(1)[0], never);
    const prompt = Array.from({ length: 40 }, () => 41);
    await expect(lane.decode(window, requestOf(model, { prompt }), never)).rejects.toThrow("too long");
    const more = (g: GraphBuilder) => exhaustWhere(g, rowsAbove(g, "counts", 0));
    const full = await loadedModels("decoder", more).hold(NANO, "a");
    await expect(hearAll(model, full.shared, melsOf(1))).rejects.toMatchObject({ code: "out_of_memory" });
    expect(fallbacks).toEqual([]);
    for (const held of [sober, full]) await held.close();
  });
});

describe("memory that a batch has not", () => {
  test("halves the batch, says so once, and every text is as it would have been", async () => {
    const network = await openBroken("decoder", (g) => exhaustWhere(g, rowsAbove(g, "counts", 2)));
    const narrowed: [number, string][] = [];
    const runs: number[] = [];
    const shared = new SharedModel(network, {
      onRun: (rows) => runs.push(rows),
      onNarrowed: (rows, reason) => narrowed.push([rows, reason]),
    });
    expect(await hearAll(model, shared, melsOf(11))).toEqual(await expected(11));
    expect(narrowed).toEqual([
      [expect.any(Number), expect.stringMatching(/alloc|memory/i)],
      [2, expect.any(String)],
    ]);
    expect(Math.max(...runs)).toBe(2);
    // It is not tried again with more.
    expect(await hearAll(model, shared, melsOf(5))).toEqual(await expected(5));
    expect(narrowed).toHaveLength(2);
    await network.close();
  });

  test("not even for one window, ends that window's job alone", async () => {
    const loud = (g: GraphBuilder) =>
      exhaustWhere(
        g,
        anyAbove(g, g.op("Cast", [g.op("Reshape", ["mel", g.ids(-1)])], { attributes: { to: { int: 6 } } }), 5),
      );
    const network = await openBroken("encoder", loud);
    const shared = new SharedModel(network);
    const [mel] = melsOf(1);
    const lane = shared.lane("a");
    await expect(
      hearOne(
        model,
        lane,
        mel.map((value) => value * 10),
      ),
    ).rejects.toMatchObject({
      code: "out_of_memory",
      message: expect.stringContaining("one window alone does not fit into memory"),
    });
    expect(await hearAll(model, shared, melsOf(3))).toEqual(await expected(3));
    expect(shared.width).toBe(8);
    await network.close();
  });
});
