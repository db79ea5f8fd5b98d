import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogMel, type ModelFolder, readModelFolder, timestampRules } from "@scribe/speech/parts";
import { printTable } from "../print-table.ts";
import { readClips, testModels, toFloats } from "./clips.ts";
import { decodeGreedily } from "./decode-greedily.ts";
import { openCompiled } from "./open-compiled.ts";
import { openTransformersJs } from "./transformers-js.ts";

const MODELS = ["whisper-nano.en", "whisper-tiny.en-relearned"];
/** Two computations in fp32 may choose differently where the two best tokens are this near to each other … */
const NEAR = 1e-3;
/** … in so many of the clips. */
const MOST_APART = 2;

/**
 * Greedy tokens of every English clip, one window each, by our compiled graphs in fp32 and by transformers.js'
 * `model.generate` over the model's export: without timestamps, and with them by transformers.js' own rules. Where a first
 * token differs, our two best logits must be within a thousandth. Answers whether all of it holds.
 */
export async function compareTokens(): Promise<boolean> {
  const clips = readClips("english").map(({ file, samples }) => ({ file, samples: toFloats(samples) }));
  const rows: (string | number)[][] = [];
  let holds = true;
  for (const name of MODELS) {
    const folder = join(testModels(), name);
    const graphs = await mkdtemp(join(tmpdir(), "scribe-bench-equality-"));
    const model = await readModelFolder(folder);
    const network = await openCompiled(model, "fp32", graphs);
    const peer = await openTransformersJs(folder, "fp32");
    const logMel = new LogMel(model.features);
    for (const timed of [false, true]) {
      const gaps: number[] = [];
      let same = 0;
      for (const { file, samples } of clips) {
        const audio = await network.encode(logMel.window(samples, model.windowFrames), 1);
        const rules = timed ? [timestampRules({ ...model.special, ruleSet: "transformers.js" })] : [];
        const ours = await decodeGreedily(model, network, audio, rules);
        audio.release();
        const theirs = textOf(model, await peer.generate(samples, timed));
        const at = ours.tokens.findIndex((token, i) => token !== theirs[i]);
        const apart = at >= 0 ? at : theirs.length > ours.tokens.length ? ours.tokens.length : -1;
        if (apart < 0) {
          same++;
          continue;
        }
        gaps.push(ours.gaps[apart]!);
        console.log(
          `${name} ${file}: token ${apart} is ${ours.tokens[apart]}, not ${theirs[apart]}; gap ${ours.gaps[apart]}`,
        );
      }
      const fine = gaps.length <= MOST_APART && gaps.every((gap) => gap < NEAR);
      holds &&= fine;
      const widest = gaps.length > 0 ? Math.max(...gaps).toExponential(1) : "–";
      rows.push([name, timed ? "with" : "without", clips.length, same, widest, fine ? "holds" : "FAILS"]);
    }
    await peer.close();
    await network.close();
    await rm(graphs, { recursive: true, force: true });
  }
  printTable(["model", "timestamps", "clips", "same tokens", "widest gap where not", "within 2 clips, 1e-3"], rows);
  return holds;
}

/** Tokens without prompt and end. */
function textOf({ special }: ModelFolder, ids: readonly number[]): number[] {
  const start = ids.lastIndexOf(special.startOfTranscript) + 1;
  const text = ids.slice(ids[start] === special.noTimestamps ? start + 1 : start);
  const end = text.indexOf(special.endOfText);
  return end < 0 ? text : text.slice(0, end);
}
