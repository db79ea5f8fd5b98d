import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  type CompiledModel,
  findLoop,
  indexOfMaximum,
  LEAST_AGREEMENT,
  LogMel,
  type ModelFolder,
  randomFrom,
  readModelFolder,
  timestampRules,
} from "@scribe/speech/parts";
import { printTable } from "../print-table.ts";
import { type Clip, readClips, testModels, toFloats } from "./clips.ts";
import { decodeGreedily, type Encoded, promptOf } from "./decode-greedily.ts";
import { openCompiled } from "./open-compiled.ts";
import { wordErrors } from "./word-errors.ts";

/** The most points of word errors that 8 bit may add, at the upper end of the interval. */
const MOST_POINTS = 1;
const RESAMPLES = 10_000;

/**
 * 8 bit next to 32, clip by clip, one window each, greedy, with timestamps: word error rates with a paired bootstrap over
 * clips (Bisani and Ney 2004), and how often the same token is the most probable one after the text that 32 bit hear.
 * The service judges agreement by itself and runs in 32 bit where it is not met; here 8 bit runs all the same.
 */
export async function comparePrecisions(): Promise<void> {
  const nano = resolve("models/whisper-nano.en");
  const rows = [
    await compare(nano, "synthesized"),
    await compare(nano, "english"),
    await compare(join(testModels(), "whisper-tiny.en-relearned"), "english"),
  ];
  printTable(
    [
      ...["model", "clips", "fp32, WER %", "int8, WER %", "points more", "95 % of it", `≤ ${MOST_POINTS} points`],
      ...["steps", "same token", `≥ ${100 * LEAST_AGREEMENT} %`],
    ],
    rows,
  );
}

async function compare(folder: string, set: "synthesized" | "english"): Promise<(string | number)[]> {
  const graphs = await mkdtemp(join(tmpdir(), "scribe-bench-precisions-"));
  const model = await readModelFolder(folder);
  const [wide, narrow] = [await openCompiled(model, "fp32", graphs), await openCompiled(model, "int8", graphs)];
  const clips = readClips(set);
  const compared: Compared[] = [];
  for (const clip of clips) compared.push(await compareOn(model, wide, narrow, clip));
  await Promise.all([wide.close(), narrow.close()]);
  await rm(graphs, { recursive: true, force: true });

  const total = (key: keyof Compared) => compared.reduce((sum, one) => sum + one[key], 0);
  const points = (key: "wide" | "narrow") => (100 * total(key)) / total("words");
  const [low, high] = interval(compared);
  const agreement = total("same") / total("steps");
  return [
    ...[folder.replace(/.*\//, ""), `${clips.length} ${set}`, points("wide").toFixed(1), points("narrow").toFixed(1)],
    ...[(points("narrow") - points("wide")).toFixed(2), `${low.toFixed(2)} … ${high.toFixed(2)}`],
    high <= MOST_POINTS ? "met" : "MISSED",
    ...[total("steps"), `${(100 * agreement).toFixed(1)} %`, agreement >= LEAST_AGREEMENT ? "met" : "MISSED"],
  ];
}

/** Word errors of both precisions, and steps after the same tokens. */
type Compared = { words: number; wide: number; narrow: number; steps: number; same: number };

async function compareOn(
  model: ModelFolder,
  wide: CompiledModel,
  narrow: CompiledModel,
  { samples, text }: Clip,
): Promise<Compared> {
  const mel = new LogMel(model.features).window(toFloats(samples), model.windowFrames);
  const maximumInitialIndex = model.generation.max_initial_timestamp_index ?? 50;
  const rules = [timestampRules({ ...model.special, maximumInitialIndex })];
  const [right, other] = [await wide.encode(mel, 1), await narrow.encode(mel, 1)];
  const heard = await decodeGreedily(model, wide, right, rules);
  const heardInBytes = await decodeGreedily(model, narrow, other, rules);
  const ids = [...promptOf(model, true), ...heard.tokens];
  const [ours, theirs] = [await predict(model, wide, right, ids), await predict(model, narrow, other, ids)];
  right.release();
  other.release();
  // As the service does it, a text that goes round in circles is cut behind the first round.
  const errors = ({ tokens }: { tokens: number[] }) =>
    wordErrors(text, model.tokenizer.decode(tokens.slice(0, findLoop(tokens))));
  const { words, errors: wideErrors } = errors(heard);
  return {
    ...{ words, wide: wideErrors, narrow: errors(heardInBytes).errors },
    ...{ steps: ours.length, same: ours.filter((token, i) => token === theirs[i]).length },
  };
}

/** The most probable token after each of `ids`. */
async function predict(model: ModelFolder, network: CompiledModel, audio: Encoded, ids: number[]): Promise<number[]> {
  const places = ids.map((_, place) => place);
  const { state, logits } = await network.prefill(audio, [0], [ids], places);
  state.release();
  const size = model.config.vocab_size;
  return places.map((place) => indexOfMaximum(logits.subarray(place * size, (place + 1) * size)));
}

/** The middle 95 % of the points that 8 bit adds, over clips drawn again and again; the same every time. */
function interval(compared: readonly Compared[]): [low: number, high: number] {
  const random = randomFrom("bootstrap");
  const draw = () => compared[Math.floor(random() * compared.length)]!;
  const added = Array.from({ length: RESAMPLES }, () => {
    let [more, words] = [0, 0];
    for (let i = 0; i < compared.length; i++) {
      const one = draw();
      more += one.narrow - one.wide;
      words += one.words;
    }
    return (100 * more) / words;
  }).sort((a, b) => a - b);
  return [added[Math.floor(0.025 * RESAMPLES)]!, added[Math.ceil(0.975 * RESAMPLES) - 1]!];
}
