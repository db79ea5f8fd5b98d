import { SpeechError } from "../speech-error.ts";
import type { DecoderBatch, DecoderRow, JoiningWindow } from "./decoder-batch.ts";
import type { DecoderState, EncodedAudio } from "./whisper-model.ts";

/** What the batch needs of its model: one row's prompt, one row's step, and a second copy of a row. */
export interface RowRunner {
  prefill(
    audio: EncodedAudio,
    rows: readonly number[],
    prompts: readonly (readonly number[])[],
    logitsAt: readonly number[],
  ): Promise<{ state: DecoderState; logits: Float32Array }>;
  step(state: DecoderState, tokens: readonly number[]): Promise<Float32Array>;
  copy(state: DecoderState): DecoderState;
}

type Row = DecoderRow & { slot: number; done: boolean; state: DecoderState };

/**
 * Rows of a graph that knows no positions of its own: its rows would have to be of the same length always, so each runs
 * alone. What others in the batch are doing can change nothing.
 */
export class ExportBatch implements DecoderBatch {
  readonly rows: Row[] = [];
  readonly #model: RowRunner;
  readonly #endOfText: number;
  #logits: Float32Array = new Float32Array(0);
  readonly #vocabulary: number;

  constructor(model: RowRunner, vocabulary: number, endOfText: number) {
    this.#model = model;
    this.#vocabulary = vocabulary;
    this.#endOfText = endOfText;
  }

  async join(joining: readonly JoiningWindow[]) {
    const joined: { row: Row; logits: Float32Array }[] = [];
    try {
      for (const { audio, row, prompt, logitsAt } of joining) {
        const { state, logits } = await this.#model.prefill(audio, [row], [prompt], logitsAt);
        joined.push({ row: { slot: this.rows.length + joined.length, last: 0, done: false, state }, logits });
      }
    } catch (error) {
      for (const { row } of joined) row.state.release();
      throw error;
    }
    this.rows.push(...joined.map(({ row }) => row));
    return joined;
  }

  begin(row: DecoderRow, token: number) {
    const own = row as Row;
    own.last = token;
    own.done = token === this.#endOfText;
  }

  async step(): Promise<Float32Array> {
    const size = this.#vocabulary;
    if (this.#logits.length !== this.rows.length * size) this.#logits = new Float32Array(this.rows.length * size);
    for (const { slot, state, last } of this.rows) {
      this.#logits.set(await this.#model.step(state, [last]), slot * size);
    }
    return this.#logits;
  }

  leave(row: DecoderRow) {
    const own = row as Row;
    const last = this.rows.pop();
    if (!last) throw new SpeechError("internal", "a row left an empty batch");
    if (last !== own) {
      last.slot = own.slot;
      this.rows[own.slot] = last;
    }
    own.state.release();
  }

  reorder(from: readonly number[]) {
    const before = this.rows.map(({ state }) => state);
    const kept = new Set<number>();
    for (const [slot, source] of from.entries()) {
      // The first to go on from a row takes it over; others get copies.
      this.rows[slot].state = kept.has(source) ? this.#model.copy(before[source]) : before[source];
      kept.add(source);
    }
    for (const [slot, state] of before.entries()) if (!kept.has(slot)) state.release();
  }
}
