import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { CompiledModel, ModelFolder } from "@scribe/speech/parts";
import { median, printTable } from "../print-table.ts";
import { buildWhisperCpp } from "./build-whisper-cpp.ts";
import { openCompiled, THREADS } from "./open-compiled.ts";
import { END_OF_TEXT, MEL_BINS, POSITIONS, SHAPES, type ShapeName, VOCABULARY } from "./shapes.ts";
import { type BenchFigures, benchWhisperCpp } from "./whisper-cpp.ts";
import { type GgmlType, writeGgml } from "./write-ggml.ts";
import { writeRandomModel } from "./write-random-model.ts";

/** What must at least be reached, as whisper.cpp's time over ours. */
const TARGETS: Record<ShapeName, { encoder: number; one: number; eight: number }> = {
  tiny: { encoder: 2, one: 1, eight: 1.2 },
  base: { encoder: 3, one: 1, eight: 1.2 },
  small: { encoder: 3, one: 1.3, eight: 2 },
};
const GGML_TYPES: GgmlType[] = ["f16", "q8_0", "q5_0"];
const PRECISIONS = ["fp32", "int8"] as const;
/** Tokens that each window is decoded to; 32 a run, as a batch that others may join. */
const TOKENS = 192;
const TOKENS_PER_RUN = 32;
const WINDOWS = 8;

type Figures = { encodeMs: number; oneMs: number; eightMs: number };

/**
 * A published size with random weights: the encoder over a window, a step of one window, and a step of eight different
 * windows, which cost whisper.cpp eight single ones. Each of its quantizations is timed once, then the best ones take
 * turns with ours.
 */
export async function compareShapes(name: ShapeName, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), `scribe-bench-${name}-`));
  try {
    const programs = await buildWhisperCpp(resolve(".scribe/bench/whisper.cpp"));
    const model = writeRandomModel(folder, SHAPES[name]);
    const tokens = Array.from({ length: END_OF_TEXT }, (_, id) => Buffer.from(` w${id}`));
    const fileOf = (type: GgmlType) => join(folder, `${type}.bin`);
    for (const type of GGML_TYPES) writeGgml(model, fileOf(type), type, tokens);
    await mkdir(join(folder, "graphs"));
    const ours = new Map<string, CompiledModel>();
    for (const precision of PRECISIONS) {
      ours.set(precision, await openCompiled(model, precision, join(folder, "graphs")));
    }

    const theirTimes = new Map<string, BenchFigures[]>();
    const ourTimes = new Map<string, Figures[]>(PRECISIONS.map((precision) => [precision, []]));
    const timeTheirs = async (type: GgmlType) => {
      const figures = await benchWhisperCpp(programs, fileOf(type), THREADS);
      theirTimes.set(type, [...(theirTimes.get(type) ?? []), figures]);
    };
    const timeOurs = async () => {
      for (const [precision, network] of ours) ourTimes.get(precision)!.push(await timeModel(model, network));
    };
    for (const type of GGML_TYPES) {
      await timeTheirs(type);
      await timeOurs();
    }
    const theirs = (type: GgmlType, key: "encodeMs" | "stepMs") =>
      median(theirTimes.get(type)!.map((figures) => figures[key]));
    const best = (key: "encodeMs" | "stepMs") => GGML_TYPES.toSorted((a, b) => theirs(a, key) - theirs(b, key))[0]!;
    const repeated = new Set([best("encodeMs"), best("stepMs")]);
    for (let round = 1; round < rounds; round++) {
      for (const type of repeated) {
        await timeTheirs(type);
        await timeOurs();
      }
    }
    for (const network of ours.values()) await network.close();

    console.log(`whisper.cpp: ${[...theirTimes.values()][0]![0]!.system}\n`);
    print(name, theirTimes, ourTimes);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Medians of one turn: the encoder three times, 192 tokens of one window, and of eight. */
async function timeModel(model: ModelFolder, network: CompiledModel): Promise<Figures> {
  const mel = Float32Array.from({ length: MEL_BINS * 2 * POSITIONS }, (_, i) => Math.sin(i * i * 1e-3) / 2);
  const encodes: number[] = [];
  const windows: Awaited<ReturnType<CompiledModel["encode"]>>[] = [];
  for (let i = 0; i < 3; i++) {
    const startedAt = performance.now();
    windows.push(await network.encode(mel, 1));
    encodes.push(performance.now() - startedAt);
  }
  const oneMs = await timeSteps(model, network, windows.slice(0, 1));
  const eightMs = await timeSteps(
    model,
    network,
    Array.from({ length: WINDOWS }, (_, i) => windows[i % windows.length]!),
  );
  for (const window of windows) window.release();
  return { encodeMs: median(encodes), oneMs, eightMs };
}

/** Milliseconds a step with one row for each window. Rows hold keys and values of their own, whatever window they hear. */
async function timeSteps(
  model: ModelFolder,
  network: CompiledModel,
  windows: readonly Awaited<ReturnType<CompiledModel["encode"]>>[],
): Promise<number> {
  const suppress = new Float32Array(VOCABULARY);
  suppress[END_OF_TEXT] = Number.NEGATIVE_INFINITY;
  const prompt = [model.special.startOfTranscript, END_OF_TEXT + 2, END_OF_TEXT + 100];
  const batch = network.newBatch();
  const joined = await batch.join(
    windows.map((audio) => ({ audio, row: 0, prompt, logitsAt: [2], timed: true, suppress })),
  );
  for (const { row } of joined) batch.begin(row, model.special.firstTimestamp);
  const startedAt = performance.now();
  for (let done = 0; done < TOKENS; done += TOKENS_PER_RUN) await batch.advance(TOKENS_PER_RUN);
  return (performance.now() - startedAt) / TOKENS;
}

function print(name: ShapeName, theirs: Map<string, BenchFigures[]>, ours: Map<string, Figures[]>) {
  const ms = (value: number) => value.toFixed(value < 100 ? 2 : 0);
  const bestOf = (values: Map<string, number>) => [...values].sort((a, b) => a[1] - b[1])[0]!;
  const work = [
    { what: "encoder, a window", target: TARGETS[name].encoder, their: "encodeMs", times: 1, our: "encodeMs" },
    { what: "step, one window", target: TARGETS[name].one, their: "stepMs", times: 1, our: "oneMs" },
    { what: "step, eight windows", target: TARGETS[name].eight, their: "stepMs", times: WINDOWS, our: "eightMs" },
  ] as const;
  printTable(
    [
      name,
      ...PRECISIONS.map((precision) => `ours ${precision}, ms`),
      ...GGML_TYPES.map((type) => `whisper.cpp ${type}, ms`),
      "best over best",
      "target",
    ],
    work.map(({ what, target, their, times, our }) => {
      const our_ = new Map([...ours].map(([precision, all]) => [precision, median(all.map((one) => one[our]))]));
      const their_ = new Map([...theirs].map(([type, all]) => [type, times * median(all.map((one) => one[their]))]));
      const ratio = bestOf(their_)[1] / bestOf(our_)[1];
      return [
        what,
        ...PRECISIONS.map((precision) => ms(our_.get(precision)!)),
        ...GGML_TYPES.map((type) => ms(their_.get(type)!)),
        `${ratio.toFixed(2)} ×`,
        `${target} × ${ratio >= target ? "met" : "MISSED"}`,
      ];
    }),
  );
}
