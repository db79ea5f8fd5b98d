import { type InferenceSession, Tensor } from "onnxruntime-node";
import type { DecoderBatch, JoiningWindow } from "../sessions/decoder-batch.ts";
import { freeMemory } from "../sessions/free-memory.ts";
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
import { crossOf, crossTensor, crossValues } from "./cross-tensors.ts";
import { stateNames } from "./portable-decoder.ts";
import { SlotBuffer, type SlotValues } from "./slot-buffer.ts";

/** Room of the cache is a multiple of this many tokens. */
const CACHE_STEP = 16;

/**
 * Rows that are decoded together, each with its own prompt, position and end. Rows join and leave between runs; a row's
 * arithmetic does not depend on who else is there. For one caller at a time.
 */
export class RowBatch implements DecoderBatch {
  readonly rows: BatchRow[] = [];
  readonly #decoder: InferenceSession;
  readonly #shape: DecoderShape;
  /** Keys and values of the audio, as the decoder takes them. */
  readonly #cross = new Map<string, CrossBuffer>();
  readonly #cache: Map<string, SlotBuffer>;
  #capacity = 0;

  constructor(decoder: InferenceSession, shape: DecoderShape) {
    this.#decoder = decoder;
    this.#shape = shape;
    const { held } = stateNames(shape.layers);
    this.#cache = new Map(held.map((name) => [name, new SlotBuffer(0, (size) => new Float32Array(size))]));
  }

  /** Tokens that each row has room for now. */
  get room(): number {
    return this.#capacity;
  }

  /**
   * Takes rows in and runs their prompts, in one run. Gives each row with the logits `[logitsAt, vocabulary]` that it
   * asked for. Its first token is the caller's to choose (`begin`), for the rules of a first token are its own.
   */
  async join(joining: readonly JoiningWindow[]): Promise<{ row: BatchRow; logits: Float32Array }[]> {
    const { vocabulary } = this.#shape;
    const before = this.rows.length;
    const longest = Math.max(...joining.map(({ prompt }) => prompt.length));
    if (longest > this.#shape.maximumTokens) throw new SpeechError("invalid_option", "the prompt is too long");
    const ids = new Int32Array(joining.length * longest);
    for (const [i, { prompt }] of joining.entries()) ids.set(prompt, i * longest);
    const places = joining[0].logitsAt.length;
    const capacity = this.#roundUp(longest);
    const feeds: Record<string, Tensor> = {
      ...this.#states(
        joining.map((row) => newRow(row, vocabulary)),
        1,
      ),
      wants_logits: new Tensor("bool", [true], []),
      ids: new Tensor("int32", ids, [joining.length, longest]),
      counts: int32(joining.map(({ prompt }) => prompt.length)),
      at: new Tensor("int32", Int32Array.from(joining.flatMap(({ logitsAt }) => logitsAt)), [joining.length, places]),
    };
    const heard = await Promise.all(joining.map(crossOf));
    for (const [name, tensor] of Object.entries(heard[0])) {
      const cross = this.#cross.get(name) ?? newCross(tensor);
      this.#cross.set(name, cross);
      for (const window of heard) cross.buffer.append(window[name].data as SlotValues, 0);
      feeds[name] = tensorOf(cross, before, joining.length);
    }
    const rowSize = this.#rowSize(capacity);
    const empty = new Float32Array(joining.length * rowSize);
    for (const name of this.#cache.keys()) feeds[name] = this.#tensor(empty, joining.length, capacity);
    try {
      const output = await this.#decoder.run(feeds);
      this.#makeRoom(Math.max(longest, this.#longest()));
      for (const [name, buffer] of this.#cache) {
        const made = output[`next_${name}`].data as Float32Array;
        for (let i = 0; i < joining.length; i++) {
          const own = made.subarray(i * rowSize, (i + 1) * rowSize);
          buffer.append(respaced(own, this.#shape, capacity, this.#capacity, joining[i].prompt.length), 0);
        }
        freeMemory(made);
      }
      const logits = output.logits.data as Float32Array;
      const size = places * vocabulary.size;
      const joined = joining.map((one, i) => {
        const row = { ...newRow(one, vocabulary), slot: before + i, length: one.prompt.length };
        return { row, logits: logits.slice(i * size, (i + 1) * size) };
      });
      this.rows.push(...joined.map(({ row }) => row));
      return joined;
    } catch (error) {
      for (const buffer of this.#buffers()) buffer.truncate(before);
      throw error;
    }
  }

  /** Sets a row's first token. */
  begin(row: BatchRow, token: number) {
    beginRow(row, token, this.#shape.vocabulary);
  }

  /**
   * Decodes up to `rounds` tokens for each row; by row, what it chose, the end of text included. Ends early when all
   * rows are done.
   */
  async advance(rounds: number): Promise<Advanced[]> {
    const { endOfText } = this.#shape.vocabulary;
    const results: Advanced[] = this.rows.map(() => ({ tokens: [], logProbabilities: [] }));
    if (this.rows.length === 0 || this.rows.every(({ done }) => done)) return results;
    const output = await this.#run(rounds, false);
    const tokens = output.tokens.data as Int32Array;
    const logProbabilities = output.log_probabilities.data as Float32Array;
    const count = this.rows.length;
    const ran = tokens.length / count;
    for (const row of this.rows) {
      const result = results[row.slot];
      for (let round = 0; round < ran && !row.done; round++) {
        const at = round * count + row.slot;
        result.tokens.push(tokens[at]);
        result.logProbabilities.push(logProbabilities[at]);
        row.done = tokens[at] === endOfText;
      }
    }
    this.#takeState(output, ran);
    return results;
  }

  /** Feeds each row its `last` token and gives the logits `[rows, vocabulary]`, for those who choose by themselves. */
  async step(): Promise<Float32Array> {
    const output = await this.#run(1, true);
    for (const row of this.rows) {
      row.lastButOne = row.last;
      row.length++;
    }
    this.#takeCache(output);
    return output.logits.data as Float32Array;
  }

  /** Row `i` goes on as `from[i]` did: all rows are of one window, so what they know of the audio is the same. */
  reorder(from: readonly number[]) {
    const before = this.rows.map((row) => ({ ...row }));
    for (const [slot, source] of from.entries()) Object.assign(this.rows[slot], before[source], { slot });
    for (const buffer of this.#cache.values()) buffer.reorder(from);
  }

  /** Lets a row go; the last row takes its place. */
  leave(row: BatchRow) {
    const { slot } = row;
    removeRow(this.rows, row);
    for (const buffer of this.#buffers()) buffer.remove(slot);
  }

  #buffers(): (SlotBuffer | SlotBuffer<SlotValues>)[] {
    return [...[...this.#cross.values()].map(({ buffer }) => buffer), ...this.#cache.values()];
  }

  #run(rounds: number, wantsLogits: boolean): Promise<InferenceSession.ReturnType> {
    const count = this.rows.length;
    this.#makeRoom(Math.min(this.#longest() + rounds, this.#shape.maximumTokens));
    const feeds: Record<string, Tensor> = {
      ...this.#states(this.rows, rounds),
      wants_logits: new Tensor("bool", [wantsLogits], []),
      ids: new Tensor(
        "int32",
        Int32Array.from(this.rows, ({ last }) => last),
        [count, 1],
      ),
      counts: int32(this.rows.map(() => 1)),
      at: new Tensor("int32", new Int32Array(count), [count, 1]),
    };
    for (const [name, cross] of this.#cross) feeds[name] = tensorOf(cross, 0, count);
    for (const [name, buffer] of this.#cache) feeds[name] = this.#tensor(buffer.values, count, this.#capacity);
    return this.#decoder.run(feeds);
  }

  #states(rows: readonly BatchRow[], rounds: number): Record<string, Tensor> {
    return {
      steps: new Tensor("int64", BigInt64Array.of(BigInt(rounds)), []),
      past: int32(rows.map(({ length }) => Math.min(length, this.#shape.maximumTokens - 1))),
      done: new Tensor(
        "bool",
        rows.map(({ done }) => done),
        [rows.length],
      ),
      last: int32(rows.map(({ last }) => last)),
      last_but_one: int32(rows.map(({ lastButOne }) => lastButOne)),
      latest: int32(rows.map(({ latestTimestamp }) => latestTimestamp)),
      timed: new Tensor(
        "bool",
        rows.map(({ timed }) => timed),
        [rows.length],
      ),
      ...suppressTensors(rows, this.#shape.vocabulary),
    };
  }

  #takeState(output: InferenceSession.ReturnType, ran: number) {
    const read = (name: string) => output[`next_${name}`].data as Int32Array;
    const [last, lastButOne, latest] = ["last", "last_but_one", "latest"].map(read);
    for (const row of this.rows) {
      row.last = last[row.slot];
      row.lastButOne = lastButOne[row.slot];
      row.latestTimestamp = latest[row.slot];
      row.length = Math.min(row.length + ran, this.#shape.maximumTokens);
    }
    this.#takeCache(output);
  }

  #takeCache(output: InferenceSession.ReturnType) {
    for (const [name, buffer] of this.#cache) {
      buffer.replace(output[`next_${name}`].data as Float32Array, this.rows.length);
    }
  }

  /**
   * Makes room for rows of `length` tokens, and for little more: each token of a run copies the whole room, so what one
   * long text needed is not kept when it is gone.
   */
  #makeRoom(length: number) {
    const capacity = this.#roundUp(length);
    if (capacity === this.#capacity) return;
    const held = this.rows.length;
    for (const buffer of this.#cache.values()) {
      const wide = new Float32Array(held * this.#rowSize(capacity));
      for (const { slot, length: own } of this.rows) {
        const row = buffer.values.subarray(slot * buffer.slotSize, (slot + 1) * buffer.slotSize);
        respace(row, wide.subarray(slot * this.#rowSize(capacity)), this.#shape, this.#capacity, capacity, own);
      }
      buffer.slotSize = this.#rowSize(capacity);
      buffer.replace(wide, held);
    }
    this.#capacity = capacity;
  }

  #roundUp(length: number): number {
    return Math.min(Math.ceil(length / CACHE_STEP) * CACHE_STEP, this.#shape.maximumTokens);
  }

  #rowSize(capacity: number): number {
    return this.#shape.heads * capacity * this.#shape.headSize;
  }

  #longest(): number {
    return Math.max(0, ...this.rows.map(({ length }) => length));
  }

  #tensor(values: Float32Array, rows: number, length: number): Tensor {
    const { heads, headSize } = this.#shape;
    return new Tensor("float32", values.subarray(0, rows * heads * length * headSize), [rows, heads, length, headSize]);
  }
}

/** Slots for tensors like `like`, of one window each. */
type CrossBuffer = { buffer: SlotBuffer<SlotValues>; like: Tensor };

function newCross(like: Tensor): CrossBuffer {
  return { buffer: new SlotBuffer(like.size, (size) => crossValues(like, size)), like };
}

function tensorOf({ buffer, like }: CrossBuffer, first: number, rows: number): Tensor {
  const { values, slotSize } = buffer;
  return crossTensor(like, values.subarray(first * slotSize, (first + rows) * slotSize), rows);
}

/** A row's keys or values `[heads, from, headSize]` as `[heads, to, headSize]`; `length` of them count. */
function respaced(row: Float32Array, shape: DecoderShape, from: number, to: number, length: number) {
  if (from === to) return row;
  const wide = new Float32Array(shape.heads * to * shape.headSize);
  respace(row, wide, shape, from, to, length);
  return wide;
}

/** The same, written to the beginning of `wide`. */
function respace(
  row: Float32Array,
  wide: Float32Array,
  { heads, headSize }: DecoderShape,
  from: number,
  to: number,
  length: number,
) {
  for (let head = 0; head < heads; head++) {
    const start = head * from * headSize;
    wide.set(row.subarray(start, start + Math.min(length, from, to) * headSize), head * to * headSize);
  }
}
