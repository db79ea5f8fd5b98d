import type { ModelFolder } from "../../model/read-model-folder.ts";
import type { Alignment } from "../../sessions/whisper-model.ts";
import { attentionCost } from "./attention-cost.ts";
import type { WordTokens } from "./split-words.ts";
import { timeWarp } from "./time-warp.ts";

/** A word with its times in seconds from the window's start. */
export type WordTiming = WordTokens & { start: number; end: number; probability: number };

export type AlignmentTask = {
  /** What stands before the text, e.g. `<|startoftranscript|>` with language and task. */
  startTokens: readonly number[];
  words: readonly WordTokens[];
  contentFrames: number;
  /**
   * Where each word may be sought, in seconds from the window's start; absent: anywhere. Every moment of the window
   * must lie within some word's bounds. The end of text is not sought before the last word's bounds.
   */
  bounds?: readonly { start: number; end: number }[];
};

/** Teacher-forces tokens over the window: `WhisperModel.align` of one row. */
export type Align = (
  tokens: readonly number[],
  heads: readonly (readonly [number, number])[],
  textVocabulary: number,
) => Promise<Alignment>;

/** Far above what any path costs: bounds are left only where nothing else is possible. */
const OUT_OF_BOUNDS_COST = 1000;

/**
 * Times of a window's words by a second, teacher-forced pass: where the alignment heads of the decoder look while each
 * token is said (Radford et al. 2022, and the published code of Whisper's word timestamps).
 */
export async function findAlignment(model: ModelFolder, align: Align, task: AlignmentTask): Promise<WordTiming[]> {
  const { startTokens, words } = task;
  const { special, config, framesPerTimestamp, secondsPerTimestamp } = model;
  const textTokens = words.flatMap(({ tokens }) => tokens);
  const width = Math.floor(task.contentFrames / framesPerTimestamp);
  if (textTokens.length === 0 || width === 0) return [];

  const tokens = [...startTokens, special.noTimestamps, ...textTokens, special.endOfText];
  const heads = alignmentHeads(model);
  const { weights, positions, probabilities } = await align(tokens, heads, special.endOfText);
  const shape = { heads: heads.length, tokens: tokens.length, positions };
  const cost = attentionCost(weights, shape, width, config.median_filter_width);

  // The rows whose next token is text or the end: what a row attends to belongs to the token that it predicts.
  const first = startTokens.length;
  const rows = textTokens.length + 1;
  const textCost = cost.subarray(first * width, (first + rows) * width);
  const bounds = (task.bounds ?? []).flatMap((bound, i) => words[i].tokens.map(() => bound));
  if (bounds.length > 0) bounds.push({ ...bounds[bounds.length - 1], end: Number.POSITIVE_INFINITY });
  for (const [i, { start, end }] of bounds.entries()) {
    const row = textCost.subarray(i * width, (i + 1) * width);
    for (let column = 0; column < width; column++) {
      const seconds = column * secondsPerTimestamp;
      if (seconds < start || seconds > end) row[column] += OUT_OF_BOUNDS_COST;
    }
  }
  const path = timeWarp(textCost, rows, width);
  const startOf = new Float64Array(rows);
  for (let i = path.rows.length - 1; i >= 0; i--) startOf[path.rows[i]] = path.columns[i] * secondsPerTimestamp;

  let place = 0;
  return words.map(({ word, tokens: ids }) => {
    const from = place;
    place += ids.length;
    const said = probabilities.subarray(first + from, first + place);
    const probability = said.reduce((sum, value) => sum + value, 0) / said.length;
    return { word, tokens: ids, start: startOf[from], end: startOf[place], probability };
  });
}

/** The heads that follow the speech: the model's own list, or else all of the decoder's upper half. */
export function alignmentHeads({ config, generation }: ModelFolder): [number, number][] {
  const { decoder_layers: layers, decoder_attention_heads: heads } = config;
  const named = (generation.alignment_heads ?? []).filter(([layer, head]) => layer < layers && head < heads);
  if (named.length > 0) return named;
  const upper = Array.from({ length: Math.ceil(layers / 2) }, (_, i) => Math.floor(layers / 2) + i);
  return upper.flatMap((layer) => Array.from({ length: heads }, (_, head): [number, number] => [layer, head]));
}
