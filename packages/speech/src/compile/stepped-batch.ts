import { type InferenceSession, Tensor } from "onnxruntime-node";
import type { DecoderBatch, JoiningWindow } from "../sessions/decoder-batch.ts";
import type { LazySession } from "../sessions/lazy-session.ts";
import { SpeechError } from "../speech-error.ts";
import {
  type Advanced,
  type BatchRow,
  beginRow,
  type DecoderShape,
  int32,
  newRow,
  removeRow,
  suppressTensors,
} from "./batch-row.ts";
import { crossOf } from "./cross-tensors.ts";
import { stateNames, UNROLLED } from "./portable-decoder.ts";

/** The graphs of `build-steps.ts`. */
export type StepSessions = Record<"prompt" | "steps" | "single" | "append" | "select", LazySession>;

type Tensors = Record<string, Tensor>;

/**
 * Rows that are decoded together, whose keys and values stay where the provider computes: they come out of one run and go
 * into the next, and only tokens, log probabilities, and logits where asked for, are read. Rows join and leave between
 * runs. For one caller at a time.
 */
export class SteppedBatch implements DecoderBatch {
  readonly rows: BatchRow[] = [];
  readonly #sessions: StepSessions;
  readonly #shape: DecoderShape;
  readonly #names: { held: string[]; cross: string[] };
  /** Keys and values of rows, one tensor for all; the audio's too. */
  #tensors: Tensors = {};
  #held = 0;
  /** Where in the tensors each row stands. */
  #places: number[] = [];

  constructor(sessions: StepSessions, shape: DecoderShape) {
    this.#sessions = sessions;
    this.#shape = shape;
    this.#names = stateNames(shape.layers);
  }

  async join(joining: readonly JoiningWindow[]): Promise<{ row: BatchRow; logits: Float32Array }[]> {
    const joined: { row: BatchRow; logits: Float32Array }[] = [];
    try {
      for (const one of joining) joined.push(await this.#joinOne(one));
      return joined;
    } catch (error) {
      for (const { row } of joined) this.leave(row);
      throw error;
    }
  }

  begin(row: BatchRow, token: number) {
    beginRow(row, token, this.#shape.vocabulary);
  }

  async advance(rounds: number): Promise<Advanced[]> {
    const results: Advanced[] = this.rows.map(() => ({ tokens: [], logProbabilities: [] }));
    for (let ran = 0; ran < rounds && this.rows.some(({ done }) => !done); ran += UNROLLED) {
      const feeds = { ...(await this.#arranged()), ...this.#standing(), ...this.#rules() };
      const output = await this.#sessions.steps.run(feeds);
      this.#takeHeld(output);
      const tokens = (await output.tokens.getData()) as Int32Array;
      const logProbabilities = (await output.log_probabilities.getData()) as Float32Array;
      // What the graph chose beyond the rounds asked for is forgotten: the next run writes over it.
      const counted = Math.min(UNROLLED, rounds - ran);
      for (const row of this.rows) {
        const own = Array.from({ length: counted }, (_, round) => round * this.rows.length + row.slot);
        for (const at of own) this.#take(row, tokens[at], logProbabilities[at], results[row.slot]);
      }
    }
    return results;
  }

  async step(): Promise<Float32Array> {
    const output = await this.#sessions.single.run({ ...(await this.#arranged()), ...this.#standing() });
    this.#takeHeld(output);
    for (const row of this.rows) {
      row.lastButOne = row.last;
      row.length++;
    }
    return (await output.logits.getData()) as Float32Array;
  }

  reorder(from: readonly number[]) {
    const before = this.rows.map((row) => ({ ...row }));
    const places = this.#places;
    for (const [slot, source] of from.entries()) Object.assign(this.rows[slot], before[source], { slot });
    this.#places = from.map((source) => places[source]);
  }

  leave(row: BatchRow) {
    const { slot } = row;
    removeRow(this.rows, row);
    const last = this.#places.pop() ?? 0;
    if (slot < this.#places.length) this.#places[slot] = last;
    if (this.rows.length === 0) this.#replace({}, 0);
  }

  async #joinOne(joining: JoiningWindow): Promise<{ row: BatchRow; logits: Float32Array }> {
    const { prompt, logitsAt } = joining;
    const { maximumTokens, vocabulary } = this.#shape;
    const length = prompt.length;
    if (length > maximumTokens) throw new SpeechError("invalid_option", "the prompt is too long");
    const cross = await crossOf(joining);
    const pad = (...axes: number[]) => new Tensor("int64", BigInt64Array.from(axes, BigInt), [axes.length]);
    const output = await this.#sessions.prompt.run({
      ...cross,
      ids: int32(prompt, [1, length]),
      places: int32(prompt.map((_, place) => place)),
      wanted: int32(logitsAt, [1, logitsAt.length]),
      pads_key: pad(0, 0, 0, 0, 0, 0, 0, maximumTokens - length),
      pads_value: pad(0, 0, 0, 0, 0, 0, maximumTokens - length, 0),
    });
    const logits = (await output.logits.getData()) as Float32Array;
    const made: Tensors = Object.fromEntries(this.#names.held.map((name) => [name, output[`next_${name}`] as Tensor]));
    if (this.rows.length === 0) {
      // The audio's tensors are the window's own: they go when it is released.
      this.#replace({ ...made, ...cross }, 1);
    } else {
      const more = Object.entries({ ...made, ...cross }).map(([name, tensor]) => [`more_${name}`, tensor]);
      const all = await this.#sessions.append.run({ ...(await this.#arranged()), ...Object.fromEntries(more) });
      for (const tensor of Object.values(made)) tensor.dispose();
      this.#replace(withoutNext(all), this.rows.length + 1);
    }
    const row = { ...newRow(joining, vocabulary), slot: this.rows.length, length };
    this.#places.push(row.slot);
    this.rows.push(row);
    return { row, logits };
  }

  /** Keys and values of the rows as they stand now, and of no others. */
  async #arranged(): Promise<Tensors> {
    if (this.#held !== this.rows.length || this.#places.some((place, slot) => place !== slot)) {
      const chosen = await this.#sessions.select.run({ ...this.#tensors, rows: int32(this.#places) });
      this.#replace(withoutNext(chosen), this.rows.length);
      this.#places = this.rows.map(({ slot }) => slot);
    }
    return this.#tensors;
  }

  #standing(): Tensors {
    const most = this.#shape.maximumTokens - 1;
    return {
      last: int32(this.rows.map(({ last }) => last)),
      past: int32(this.rows.map(({ length }) => Math.min(length, most))),
    };
  }

  #rules(): Tensors {
    return {
      last_but_one: int32(this.rows.map(({ lastButOne }) => lastButOne)),
      latest: int32(this.rows.map(({ latestTimestamp }) => latestTimestamp)),
      timed: int32(this.rows.map(({ timed }) => Number(timed))),
      done: int32(this.rows.map(({ done }) => Number(done))),
      ...suppressTensors(this.rows, this.#shape.vocabulary),
    };
  }

  #take(row: BatchRow, token: number, logProbability: number, result: Advanced) {
    const { endOfText, firstTimestamp } = this.#shape.vocabulary;
    row.length = Math.min(row.length + 1, this.#shape.maximumTokens);
    row.lastButOne = row.last;
    row.last = token;
    if (token >= firstTimestamp) row.latestTimestamp = token;
    if (row.done) return;
    result.tokens.push(token);
    result.logProbabilities.push(logProbability);
    row.done = token === endOfText;
  }

  #takeHeld(output: InferenceSession.ReturnType) {
    const cross = Object.fromEntries(this.#names.cross.map((name) => [name, this.#tensors[name]]));
    const held = this.#names.held.map((name) => [name, output[`next_${name}`] as Tensor]);
    this.#replace({ ...cross, ...Object.fromEntries(held) }, this.rows.length);
  }

  /** Lets go of what is not taken over. */
  #replace(tensors: Tensors, held: number) {
    const kept = new Set(Object.values(tensors));
    const before = this.#held;
    for (const [name, tensor] of Object.entries(this.#tensors)) {
      // One row's audio is the window's.
      const borrowed = before === 1 && name.startsWith("cross_");
      if (!kept.has(tensor) && !borrowed) tensor.dispose();
    }
    this.#tensors = tensors;
    this.#held = held;
  }
}

function withoutNext(output: InferenceSession.ReturnType): Tensors {
  return Object.fromEntries(
    Object.entries(output).map(([name, tensor]) => [name.replace("next_", ""), tensor as Tensor]),
  );
}
