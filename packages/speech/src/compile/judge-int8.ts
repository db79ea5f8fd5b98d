import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import type { ModelFolder } from "../model/read-model-folder.ts";
import type { SessionSettings } from "../sessions/open-session.ts";
import type { EncodedAudio } from "../sessions/whisper-model.ts";
import { SpeechError } from "../speech-error.ts";
import { indexOfMaximum } from "../whisper/log-softmax.ts";
import { type CompileOptions, compileModel } from "./compile-model.ts";
import { CompiledModel } from "./compiled-model.ts";

/** Of steps that are fed the same tokens, in how many the most probable next one must be the same. */
export const LEAST_AGREEMENT = 0.99;
/** Pieces of the probe: long enough for sentences, beginning at different places so that their texts differ. */
const PIECE_SECONDS = 10;
const STRIDE_SECONDS = 2;
/** Enough for a share of 1 %; a large model takes seconds for each window. */
const ENOUGH_STEPS = 400;
const TOKENS_OF_PIECE = 64;

const WAV_HEADER_BYTES = 44;

const judgementSchema = z.object({
  steps: z.int(),
  agreement: z.number(),
  /** The largest lead that a token had in 32 bit and lost in 8: a close race may end either way. */
  widestLead: z.number(),
  passes: z.boolean(),
});
export type Judgement = z.infer<typeof judgementSchema>;

type JudgeOptions = Omit<CompileOptions, "precision"> & {
  /** WAV of speech, 16 kHz mono. */
  probe: string;
  sessions: SessionSettings;
};

/**
 * Whether a model's graphs in 8 bit say what those in 32 bit say: both are fed the text that the latter hear in the probe,
 * token by token. Compiles both; the judgement is kept beside them, so it is made once.
 */
export async function judgeInt8(model: ModelFolder, options: JudgeOptions): Promise<Judgement> {
  const { cacheFolder, alignmentHeads, sessions } = options;
  const int8 = await compileModel(model, { ...options, precision: "int8" });
  const kept = join(cacheFolder, `${basename(int8.folder)}.judgement.json`);
  const before = await readJudgement(kept);
  if (before) return before;
  const speech = await readProbe(options.probe);
  const fp32 = await compileModel(model, { ...options, precision: "fp32" });
  const reference = await CompiledModel.open(model, fp32, alignmentHeads, sessions);
  try {
    const candidate = await CompiledModel.open(model, int8, alignmentHeads, sessions);
    try {
      const judgement = await compare(model, reference, candidate, speech);
      await keep(kept, judgement);
      return judgement;
    } finally {
      await candidate.close();
    }
  } finally {
    await reference.close();
  }
}

/** Holds two networks against each other on pieces of `speech`. */
export async function compare(
  model: ModelFolder,
  reference: CompiledModel,
  candidate: CompiledModel,
  speech: Float32Array,
): Promise<Judgement> {
  const { features, windowSamples } = model;
  const prompt = promptOf(model);
  let [steps, same, widestLead] = [0, 0, 0];
  const pieceSamples = Math.min(PIECE_SECONDS * features.sampleRate, windowSamples);
  const stride = STRIDE_SECONDS * features.sampleRate;
  for (let from = 0; steps < ENOUGH_STEPS && from < speech.length; from += stride) {
    const samples = new Float32Array(windowSamples);
    samples.set(speech.subarray(from, from + pieceSamples));
    const mel = await reference.features(samples, 1);
    const [right, other] = [await reference.encode(mel, 1), await candidate.encode(mel, 1)];
    const ids = [...prompt, ...(await hear(model, reference, right, prompt))];
    const at = ids.map((_, place) => place).slice(prompt.length - 1);
    const ours = (await reference.prefill(right, [0], [ids], at)).logits;
    const theirs = (await candidate.prefill(other, [0], [ids], at)).logits;
    right.release();
    other.release();
    const size = model.config.vocab_size;
    for (let i = 0; i < at.length; i++) {
      const logits = ours.subarray(i * size, (i + 1) * size);
      const best = indexOfMaximum(logits);
      const chosen = indexOfMaximum(theirs.subarray(i * size, (i + 1) * size));
      steps++;
      if (chosen === best) same++;
      else widestLead = Math.max(widestLead, logits[best] - logits[chosen]);
    }
  }
  const agreement = steps === 0 ? 0 : same / steps;
  return { steps, agreement, widestLead, passes: agreement >= LEAST_AGREEMENT };
}

function promptOf({ special }: ModelFolder): number[] {
  const { startOfTranscript, languages, transcribe } = special;
  const language = languages.get("en") ?? languages.values().next().value;
  return [startOfTranscript, ...(language === undefined || transcribe === undefined ? [] : [language, transcribe])];
}

/** What a network says of a window, from the window's first timestamp on. */
async function hear(model: ModelFolder, network: CompiledModel, audio: EncodedAudio, prompt: readonly number[]) {
  const { config, special, suppressTokens } = model;
  const suppress = new Float32Array(config.vocab_size);
  for (const id of suppressTokens) suppress[id] = Number.NEGATIVE_INFINITY;
  const batch = network.newBatch();
  const logitsAt = [prompt.length - 1];
  const [{ row }] = await batch.join([{ audio, row: 0, prompt, logitsAt, timed: true, suppress }]);
  batch.begin(row, special.firstTimestamp);
  const rounds = Math.min(TOKENS_OF_PIECE, config.max_target_positions - prompt.length - 2);
  const [{ tokens }] = await batch.advance(rounds);
  return [special.firstTimestamp, ...tokens];
}

async function readProbe(path: string): Promise<Float32Array> {
  const bytes = await readFile(path).catch((error) => {
    throw new SpeechError("internal", `the speech to judge 8 bit graphs by cannot be read: ${error.message}`, error);
  });
  const count = Math.floor((bytes.length - WAV_HEADER_BYTES) / 2);
  return Float32Array.from(
    { length: Math.max(0, count) },
    (_, i) => bytes.readInt16LE(WAV_HEADER_BYTES + 2 * i) / 32768,
  );
}

async function readJudgement(path: string): Promise<Judgement | null> {
  try {
    return judgementSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    // None was made, or it is damaged: another one will be made.
    return null;
  }
}

async function keep(path: string, judgement: Judgement) {
  await mkdir(join(path, ".."), { recursive: true });
  const half = `${path}.${process.pid}.tmp`;
  await writeFile(half, JSON.stringify(judgement));
  await rename(half, path);
}
