// Started by a test, in a process of its own: a driver of Vulkan is chosen by the environment a process begins with.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { compileModel, filesIn } from "../../src/compile/compile-model.ts";
import { CompiledModel } from "../../src/compile/compiled-model.ts";
import { SharedModel } from "../../src/runtime/shared-model.ts";
import { ModelWithFallback } from "../../src/sessions/model-with-fallback.ts";
import { needProvider } from "../../src/sessions/working-provider.ts";
import { anyAbove, breakGraph, failWhere } from "../compile/break-graph.ts";
import { randomModel } from "../compile/fixture-model.ts";
import { hearAll, melsOf, requestOf } from "../compile/hear-windows.ts";

/** What another provider than the processor computes with a small model in unrolled steps, next to what that does. */
export type Comparison = {
  /** Largest differences. */
  logits: number;
  step: number;
  alignment: number;
  sameTexts: boolean;
  texts: number[][];
  /** By graph, the providers that ran its nodes, and how many runs of nodes each did. */
  ran: Record<string, Record<string, number>>;
  /** What was said with graphs that fail on the device in mid-text, and by whom at the end. */
  fallback: { sameTexts: boolean; computation: string; reason: string };
};

const HEADS = [[1, 0]] as const;
const folder = mkdtempSync(join(tmpdir(), "webgpu-"));
process.chdir(folder);

const sessions: InferenceSession[] = [];
const create = InferenceSession.create;
/** Sessions opened from now on write down what runs where. */
function profile() {
  InferenceSession.create = (async (path: unknown, options: InferenceSession.SessionOptions) => {
    const graph = String(path).split("/").at(-1)?.replace(".onnx", "");
    const session = await create.call(InferenceSession, path as Uint8Array, {
      ...options,
      enableProfiling: true,
      profileFilePrefix: join(folder, `profile-${graph}-`),
    });
    sessions.push(session);
    return session;
  }) as typeof create;
}

function readProfiles(): Comparison["ran"] {
  for (const session of sessions) session.endProfiling();
  const ran: Comparison["ran"] = {};
  for (const name of readdirSync(folder).filter((file) => file.startsWith("profile-"))) {
    const events: { cat: string; args?: { provider?: string } }[] = JSON.parse(readFileSync(name, "utf8"));
    const counts: Record<string, number> = {};
    for (const { cat, args } of events) {
      if (cat === "Node" && args?.provider) counts[args.provider] = (counts[args.provider] ?? 0) + 1;
    }
    ran[name.split("-")[1]] = counts;
  }
  return ran;
}

const difference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(Math.abs(a.length - b.length), ...Array.from(a, (value, i) => Math.abs(value - b[i])));

async function compute(network: CompiledModel, mels: readonly Float32Array[], shared: SharedModel) {
  const [mel] = mels;
  const audio = await network.encode(Float32Array.from([...mel, ...mels[1]]), 2);
  const prompts = [
    [41, 43, 5],
    [41, 43, 7],
  ];
  const { state, logits } = await network.prefill(audio, [0, 1], prompts, [2]);
  const step = await network.step(state, [3, 4]);
  const { weights } = await network.align(audio, 1, [41, 43, 1, 2, 40], HEADS, 40);
  audio.release();
  const texts = await hearAll(model, shared, mels);
  const lane = shared.lane("search");
  const { signal } = new AbortController();
  const window = await lane.encode(async () => mel, signal);
  const beam = { beams: 3, patience: 1, lengthPenalty: null };
  texts.push(await lane.search(window, requestOf(model, { maximumTokens: 5 }), beam, signal));
  window.release();
  return { logits, step: step.slice(), weights, texts: texts.map(({ tokens }) => tokens) };
}

/** Texts are begun on the device, by a graph that fails as they grow, and said to their ends by the processor. */
async function failOnDevice(): Promise<Comparison["fallback"]> {
  const broken = join(folder, "broken");
  cpSync(files.folder, broken, { recursive: true });
  breakGraph(filesIn(broken, "steps", true).decoder, (g) => failWhere(g, anyAbove(g, "past", 9)));
  const settings = { executionProviders: [provider], intraOpThreads: 1 };
  const failing = await CompiledModel.open(model, filesIn(broken, "steps", true), HEADS, settings);
  const computation = (of: string) => ({ provider: of, precision: "fp32", graphs: "compiled" }) as const;
  let reason = "";
  const lasting = new ModelWithFallback(
    model,
    { network: failing, computation: computation(provider) },
    async (_, error) => {
      reason = error.message;
      return { network: await open("cpu"), computation: computation("cpu") };
    },
  );
  const texts = await hearAll(model, new SharedModel(lasting), mels);
  await lasting.close();
  const said = texts.map(({ tokens }) => tokens);
  const sameTexts = JSON.stringify(said) === JSON.stringify(right.texts.slice(0, said.length));
  return { sameTexts, computation: lasting.computation, reason };
}

const model = randomModel(folder);
const options = { modelHash: "hash", precision: "fp32", form: "steps", alignmentHeads: HEADS } as const;
const files = await compileModel(model, { ...options, cacheFolder: join(folder, "cache") });
const open = (provider: string) =>
  CompiledModel.open(model, files, HEADS, { executionProviders: [provider], intraOpThreads: 1 });

const provider = process.argv[2];
await needProvider(provider);
const mels = melsOf(2);
const processor = await open("cpu");
profile();
const device = await open(provider);
const right = await compute(processor, mels, new SharedModel(processor));
const own = await compute(device, mels, new SharedModel(device));
const comparison: Comparison = {
  logits: difference(right.logits, own.logits),
  step: difference(right.step, own.step),
  alignment: difference(right.weights, own.weights),
  sameTexts: JSON.stringify(right.texts) === JSON.stringify(own.texts),
  texts: own.texts,
  ran: readProfiles(),
  fallback: await failOnDevice(),
};
await device.close();
await processor.close();
rmSync(folder, { recursive: true });
process.stdout.write(`\n${JSON.stringify(comparison)}\n`);
