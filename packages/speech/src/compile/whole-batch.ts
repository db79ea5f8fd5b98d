import { Tensor } from "onnxruntime-node";
import type { WholeText, WholeWindow } from "../sessions/decoder-batch.ts";
import type { LazySession } from "../sessions/lazy-session.ts";
import { SpeechError } from "../speech-error.ts";
import { biasTensors, type DecoderShape, int32 } from "./batch-row.ts";
import { NEVER } from "./build-token-choice.ts";
import { SteppedBatch, type StepSessions } from "./stepped-batch.ts";

/** How many rows a run has: a device prepares each number of them once. */
const SIZES = [1, 2, 4, 8, 16];
export const MOST_WHOLE_ROWS = SIZES[SIZES.length - 1];

/** Features `[bins, frames]` of encoded windows, which the whole graph encodes by itself. */
export type HeardFeatures = { mels: readonly Float32Array[] };

/**
 * A batch whose windows go from features to text in one run where the graph may choose the tokens; others go by steps,
 * whose keys and values cross the bus.
 */
export class WholeBatch extends SteppedBatch {
  readonly #whole: LazySession;
  readonly #sizes: DecoderShape & { melBins: number; windowFrames: number };

  constructor(
    whole: LazySession,
    steps: StepSessions,
    sizes: DecoderShape & { melBins: number; windowFrames: number },
  ) {
    super(steps, sizes);
    this.#whole = whole;
    this.#sizes = sizes;
  }

  async decodeWhole(windows: readonly WholeWindow[]): Promise<WholeText[]> {
    const texts: WholeText[] = [];
    for (let from = 0; from < windows.length; from += MOST_WHOLE_ROWS) {
      texts.push(...(await this.#run(windows.slice(from, from + MOST_WHOLE_ROWS))));
    }
    return texts;
  }

  async #run(windows: readonly WholeWindow[]): Promise<WholeText[]> {
    const { maximumTokens, vocabulary } = this.#sizes;
    const longest = Math.max(...windows.map(({ prompt }) => prompt.length));
    if (longest > maximumTokens) throw new SpeechError("invalid_option", "the prompt is too long");
    const size = SIZES.find((rows) => rows >= windows.length) ?? MOST_WHOLE_ROWS;
    // Rows that fill the batch up are the first one again, and say one token.
    const rows = Array.from({ length: size }, (_, i) => windows[i] ?? { ...windows[0], maximumTokens: 1 });
    const output = await this.#whole.run(this.#feeds(rows, longest));
    const tokens = output.tokens.data as Int32Array;
    const logProbabilities = output.log_probabilities.data as Float32Array;
    const noSpeech = output.no_speech.data as Float32Array;
    return windows.map((window, row) => {
      const said: number[] = [];
      const probabilities: number[] = [];
      for (let at = row; at < tokens.length && said.length < window.maximumTokens; at += size) {
        said.push(tokens[at]);
        probabilities.push(logProbabilities[at]);
        if (tokens[at] === vocabulary.endOfText) break;
      }
      return { tokens: said, logProbabilities: probabilities, noSpeechProbability: noSpeech[row] };
    });
  }

  #feeds(rows: readonly WholeWindow[], longest: number): Record<string, Tensor> {
    const { maximumTokens, melBins, windowFrames, vocabulary } = this.#sizes;
    const mel = new Float32Array(rows.length * melBins * windowFrames);
    const ids = new Int32Array(rows.length * longest);
    for (const [i, { audio, row, prompt }] of rows.entries()) {
      mel.set((audio as unknown as HeardFeatures).mels[row], i * melBins * windowFrames);
      ids.set(prompt, i * longest);
    }
    const int64 = (values: number[], dims: number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), dims);
    const pad = maximumTokens - longest;
    // A row never says more than its context holds, and one token that need not fit.
    const limits = rows.map((one) => Math.min(one.maximumTokens, maximumTokens + 1 - one.prompt.length));
    return {
      mel: new Tensor("float32", mel, [rows.length, melBins, windowFrames]),
      ids: new Tensor("int32", ids, [rows.length, longest]),
      counts: int32(rows.map(({ prompt }) => prompt.length)),
      places: int32(Array.from({ length: longest }, (_, place) => place)),
      wanted: int32(
        rows.flatMap(({ startPosition, prompt }, i) =>
          [startPosition, prompt.length - 1].map((at) => i * longest + at),
        ),
        [rows.length, 2],
      ),
      pads_key: int64([0, 0, 0, 0, 0, 0, 0, pad], [8]),
      pads_value: int64([0, 0, 0, 0, 0, 0, pad, 0], [8]),
      steps: int64([Math.max(...limits) - 1], []),
      limits: int32(limits),
      timed: int32(rows.map(({ timed }) => Number(timed))),
      ...biasTensors(
        // All of a part may be forbidden: −∞ less −∞ would be no number.
        rows.map(({ first }) => first.map((bias) => Math.max(bias, NEVER))),
        vocabulary,
        "first",
      ),
      ...biasTensors(
        rows.map(({ suppress }) => suppress),
        vocabulary,
        "suppress",
      ),
    };
  }
}
