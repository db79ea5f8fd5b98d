import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CompiledModel, ModelFolder } from "@scribe/speech/parts";
import { printTable } from "../print-table.ts";
import { openCompiled } from "./open-compiled.ts";
import { END_OF_TEXT, MEL_BINS, POSITIONS, SHAPES, VOCABULARY } from "./shapes.ts";
import { writeRandomModel } from "./write-random-model.ts";

const TARGET = 0.8;
const WINDOWS = 64;
const WIDTH = 8;

/**
 * Windows of 20 to 200 tokens that share a batch of eight: of the steps that its rows were computed for, how many gave a
 * token that somebody wanted. A row is useless from its end to the end of the run that it ended in; nobody waits for rows
 * of the same length.
 */
export async function measureRagged(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "scribe-bench-ragged-"));
  try {
    const model = writeRandomModel(folder, SHAPES.tiny);
    const network = await openCompiled(model, "int8", join(folder, "graphs"));
    const rows = [];
    for (const rounds of [8, 16, 32]) rows.push(await decodeRagged(model, network, rounds));
    await network.close();
    printTable(
      ["tokens a run", "wanted row-steps", "computed row-steps", "useful", "tokens a second", "target"],
      rows.map(({ rounds, wanted, computed, seconds }) => {
        const share = wanted / computed;
        const verdict = rounds === 8 ? `${100 * TARGET} % ${share >= TARGET ? "met" : "MISSED"}` : "";
        return [rounds, wanted, computed, `${(100 * share).toFixed(1)} %`, (wanted / seconds).toFixed(0), verdict];
      }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function decodeRagged(model: ModelFolder, network: CompiledModel, rounds: number) {
  const mel = Float32Array.from({ length: MEL_BINS * 2 * POSITIONS }, (_, i) => Math.sin(i * i * 1e-3) / 2);
  const audio = await network.encode(mel, 1);
  const suppress = new Float32Array(VOCABULARY);
  suppress[END_OF_TEXT] = Number.NEGATIVE_INFINITY;
  const prompt = [model.special.startOfTranscript, END_OF_TEXT + 2, END_OF_TEXT + 100];
  // Every length between 20 and 200 as often as any other, in no order.
  const lengths = Array.from({ length: WINDOWS }, (_, i) => 20 + ((i * 79) % 181));
  const batch = network.newBatch();
  const left = new Map<object, number>();
  let [wanted, computed] = [0, 0];
  const startedAt = performance.now();
  for (let next = 0; next < lengths.length || left.size > 0; ) {
    const entering = lengths.slice(next, next + WIDTH - left.size);
    next += entering.length;
    if (entering.length > 0) {
      const joined = await batch.join(
        entering.map(() => ({ audio, row: 0, prompt, logitsAt: [2], timed: true, suppress })),
      );
      for (const [i, { row }] of joined.entries()) {
        batch.begin(row, model.special.firstTimestamp);
        left.set(row, entering[i]!);
      }
    }
    await batch.advance(rounds);
    computed += batch.rows.length * rounds;
    for (const row of [...batch.rows]) {
      const more = left.get(row)!;
      wanted += Math.min(more, rounds);
      if (more > rounds) {
        left.set(row, more - rounds);
        continue;
      }
      batch.leave(row);
      left.delete(row);
    }
  }
  audio.release();
  return { rounds, wanted, computed, seconds: (performance.now() - startedAt) / 1000 };
}
