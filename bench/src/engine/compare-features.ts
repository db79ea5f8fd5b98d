import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { LogMel, readModelFolder } from "@scribe/speech/parts";
import { median, printTable } from "../print-table.ts";
import { joinClips, readClips, toFloats } from "./clips.ts";
import { openCompiled } from "./open-compiled.ts";
import { theirFeatures } from "./transformers-js.ts";

const TARGET = 5;

/** log-mel features of 30 seconds of speech: as a graph, in plain JavaScript, and by transformers.js. */
export async function compareFeatures(rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "scribe-bench-features-"));
  try {
    const model = await readModelFolder(resolve("models/whisper-nano.en"));
    const network = await openCompiled(model, "fp32", folder);
    const logMel = new LogMel(model.features);
    const extract = theirFeatures();
    const samples = toFloats(joinClips(readClips("english"), 30).samples);
    const ways: [string, () => Promise<Float32Array> | Float32Array][] = [
      ["ours, graph", () => network.features(samples, 1)],
      ["ours, JavaScript", () => logMel.window(samples, model.windowFrames)],
      ["transformers.js", () => extract(samples)],
    ];
    const times = new Map<string, number[]>();
    const reference = (await extract(samples)).slice();
    const apart = new Map<string, number>();
    for (let round = -1; round < 3 * rounds; round++) {
      for (const [name, compute] of ways) {
        const startedAt = performance.now();
        const values = await compute();
        const ms = performance.now() - startedAt;
        if (round >= 0) times.set(name, [...(times.get(name) ?? []), ms]);
        apart.set(
          name,
          values.reduce((most, value, i) => Math.max(most, Math.abs(value - reference[i]!)), 0),
        );
      }
    }
    await network.close();
    const theirs = median(times.get("transformers.js")!);
    printTable(
      ["log-mel of 30 s", "ms", "transformers.js takes", "apart from it by at most", "target"],
      ways.map(([name]) => {
        const ms = median(times.get(name)!);
        const ratio = theirs / ms;
        const verdict = name === "ours, graph" ? `${TARGET} × ${ratio >= TARGET ? "met" : "MISSED"}` : "";
        return [name, ms.toFixed(1), `${ratio.toFixed(1)} ×`, apart.get(name)!.toExponential(1), verdict];
      }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
