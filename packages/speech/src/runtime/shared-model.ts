import { setImmediate as nextTurn } from "node:timers/promises";
import type { DecoderBatch, DecoderRow } from "../sessions/decoder-batch.ts";
import type { Alignment, WhisperModel } from "../sessions/whisper-model.ts";
import { asSpeechError } from "../speech-error.ts";
import { searchBeams } from "../whisper/beam-search.ts";
import type { ChooseToken } from "../whisper/choose-token.ts";
import { logSumExp } from "../whisper/log-softmax.ts";
import type { BeamSettings, DecodeRequest, EncodedWindow, RawText, WindowDecoder } from "../whisper/window-decoder.ts";
import { FairShares, type Lane, type Standing } from "./fair-shares.ts";

/** Told of each run of decoding: its rows, and how many there could have been. */
export type RunOfRows = (rows: number, width: number) => void;

type Task<Result> = {
  lane: Lane;
  signal: AbortSignal;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
};
type EncodeTask = Task<EncodedWindow> & { features: () => Promise<Float32Array> };
type DecodeTask = Task<RawText> & { window: EncodedWindow; request: DecodeRequest };
/** Work that takes the model for itself until it is done. */
type SoloTask = Task<unknown> & { run: () => Promise<unknown> };

/** A window that is being decoded. */
type Running = {
  task: DecodeTask;
  batch: DecoderBatch;
  row: DecoderRow;
  choose: ChooseToken;
  tokens: number[];
  sumLogprob: number;
  noSpeechProbability: number;
  /** What the graph chose in the last run. */
  chosen?: { tokens: number[]; logProbabilities: number[] };
};

/** Tokens that a graph chooses in one run: rows come and go, and a cancelled one ends, at this pace. */
const ROUNDS = 8;

/**
 * A model that several requests decode with at once. Windows of all of them share its batches: whoever has the fewest
 * windows under way is served first, then the older request, so that a short one is not stuck behind a long one. Runs come
 * one after the other; between two of them rows join and leave, and what was cancelled is dropped.
 */
export class SharedModel {
  readonly #model: WhisperModel;
  readonly #onRun: RunOfRows;
  readonly #shares = new FairShares();
  #width: number;
  #encoding: EncodeTask[] = [];
  #decoding: DecodeTask[] = [];
  #solo: SoloTask[] = [];
  #running: Running[] = [];
  #batches: { advancing?: DecoderBatch; stepping?: DecoderBatch } = {};
  #busy = false;
  /** Key of the request whose run is under way. */
  current = "";

  constructor(model: WhisperModel, onRun: RunOfRows = () => {}) {
    this.#model = model;
    this.#onRun = onRun;
    this.#width = model.maxBatch;
  }

  /** Windows that may be under way at once; halved when memory runs out. */
  get width(): number {
    return this.#width;
  }

  /** The model as one request sees it. */
  lane(key: string, standing: Standing = {}): WindowDecoder {
    const lane = this.#shares.enter(key, standing);
    const shared = this;
    const model = this.#model;
    const alone = <Result>(signal: AbortSignal, run: () => Promise<Result>) =>
      this.#submit<Result>(lane, signal, (task) => this.#solo.push({ ...task, run } as SoloTask));
    return {
      canAlign: model.canAlign,
      get width() {
        return shared.#width;
      },
      encode: (features, signal) => this.#submit(lane, signal, (task) => this.#encoding.push({ ...task, features })),
      decode: (window, request, signal) =>
        this.#submit(lane, signal, (task) => this.#decoding.push({ ...task, window, request })),
      logitsAfter: ({ audio, row }, prompt, signal) =>
        alone(signal, async () => {
          const { state, logits } = await model.prefill(audio, [row], [prompt], [prompt.length - 1]);
          state.release();
          return logits;
        }),
      search: (window, request, beam, signal) => alone(signal, () => this.#search(window, request, beam, signal)),
      align: ({ audio, row }, tokens, heads, textVocabulary, signal): Promise<Alignment> =>
        alone(signal, () => model.align(audio, row, tokens, heads, textVocabulary)),
    };
  }

  #submit<Result>(lane: Lane, signal: AbortSignal, enqueue: (task: Task<Result>) => void): Promise<Result> {
    return new Promise((resolve, reject) => {
      enqueue({ lane, signal, resolve, reject });
      if (!this.#busy) void this.#work();
    });
  }

  async #work() {
    this.#busy = true;
    for (;;) {
      // Cancellations come, and whoever has got a result asks for what follows.
      await nextTurn();
      this.#dropAborted();
      if (this.#solo.length > 0) await this.#runSolo();
      else if (this.#encoding.length > 0 && this.#shares.held < this.#width) await this.#encodeNext();
      else if (this.#decoding.length > 0 && this.#running.length < this.#width) await this.#join();
      else if (this.#running.length > 0) await this.#advance();
      else break;
    }
    this.#busy = false;
  }

  #dropAborted() {
    const drop = <T extends Task<never>>(queue: T[]): T[] => {
      for (const { signal, reject } of queue) if (signal.aborted) reject(signal.reason);
      return queue.filter(({ signal }) => !signal.aborted);
    };
    this.#encoding = drop(this.#encoding as never);
    this.#decoding = drop(this.#decoding as never);
    this.#solo = drop(this.#solo as never);
    for (const running of [...this.#running]) {
      const { signal, reject } = running.task;
      if (!signal.aborted) continue;
      this.#leave(running);
      reject(signal.reason);
    }
  }

  async #runSolo() {
    const [task] = this.#solo.splice(this.#shares.fairest(this.#solo), 1);
    this.current = task.lane.key;
    try {
      task.resolve((await task.run()) as never);
    } catch (error) {
      task.reject(error);
    }
  }

  async #encodeNext() {
    const [task] = this.#encoding.splice(this.#shares.fairest(this.#encoding), 1);
    const { lane } = task;
    this.current = lane.key;
    this.#shares.take(lane);
    let released = false;
    const give = () => {
      if (released) return;
      released = true;
      this.#shares.give(lane);
      // Whoever waits for room has it now.
      if (!this.#busy) void this.#work();
    };
    try {
      const audio = await this.#model.encode(await task.features(), 1);
      const release = () => {
        audio.release();
        give();
      };
      task.resolve({ audio, row: 0, release });
    } catch (error) {
      give();
      if (this.#narrow(error)) this.#encoding.unshift(task);
      else task.reject(error);
    }
  }

  /** Lets waiting windows into the batch. */
  async #join() {
    const room = this.#width - this.#running.length;
    const joining: DecodeTask[] = [];
    while (joining.length < room && this.#decoding.length > 0) {
      joining.push(...this.#decoding.splice(this.#shares.fairest(this.#decoding), 1));
    }
    this.current = joining[0].lane.key;
    this.#batches.advancing ??= this.#model.newBatch();
    this.#batches.stepping ??= this.#model.newBatch();
    const { advancing, stepping } = this.#batches;
    const advances = ({ request }: DecodeTask) => request.inGraph !== undefined && advancing.advance !== undefined;
    for (const [batch, tasks] of [
      [advancing, joining.filter(advances)],
      [stepping, joining.filter((task) => !advances(task))],
    ] as const) {
      if (tasks.length === 0) continue;
      try {
        const joined = await batch.join(tasks.map(joiningWindow));
        for (const [i, { row, logits }] of joined.entries()) this.#begin(tasks[i], batch, row, logits);
      } catch (error) {
        this.#giveUp(error, tasks);
      }
    }
  }

  /** A row's first token: what its prompt's logits say. */
  #begin(task: DecodeTask, batch: DecoderBatch, row: DecoderRow, logits: Float32Array) {
    const { noSpeech, choose } = task.request;
    const vocabulary = logits.length / 2;
    const atStart = logits.subarray(0, vocabulary);
    const noSpeechProbability = noSpeech === undefined ? 0 : Math.exp(atStart[noSpeech] - logSumExp(atStart));
    const running = { task, batch, row, choose: choose(), tokens: [], sumLogprob: 0, noSpeechProbability };
    this.#running.push(running);
    const token = this.#choose(running, logits.subarray(vocabulary));
    batch.begin(row, token);
    row.last = token;
  }

  async #advance() {
    const { advancing, stepping } = this.#batches;
    for (const batch of [advancing, stepping]) {
      if (!batch || batch.rows.length === 0) continue;
      const running = this.#running.filter((one) => one.batch === batch);
      this.current = running[0].task.lane.key;
      this.#onRun(running.length, this.#width);
      try {
        if (batch === advancing && batch.advance) {
          const advanced = await batch.advance(ROUNDS);
          for (const one of running) one.chosen = advanced[one.row.slot];
          for (const one of running) this.#takeChosen(one);
        } else {
          const logits = await batch.step();
          const size = logits.length / batch.rows.length;
          const own = running.map(({ row }) => logits.subarray(row.slot * size, (row.slot + 1) * size));
          for (const [i, one] of running.entries()) one.row.last = this.#choose(one, own[i]);
        }
      } catch (error) {
        for (const one of running) this.#leave(one);
        this.#giveUp(
          error,
          running.map(({ task }) => task),
        );
        // What a failed run left of a batch is not to be trusted.
        this.#batches = {};
      }
    }
  }

  #choose(running: Running, logits: Float32Array): number {
    for (const rule of running.task.request.rules) rule(logits, running.tokens);
    const token = running.choose(logits);
    this.#take(running, token, logits[token] - logSumExp(logits));
    return token;
  }

  #takeChosen(running: Running) {
    const { tokens, logProbabilities } = running.chosen ?? { tokens: [], logProbabilities: [] };
    for (let i = 0; i < tokens.length && this.#running.includes(running); i++) {
      this.#take(running, tokens[i], logProbabilities[i]);
    }
  }

  /** Adds a token to a row's text; the row leaves where that ends it. */
  #take(running: Running, token: number, logProbability: number) {
    const { request, resolve } = running.task;
    const { tokens } = running;
    running.sumLogprob += logProbability;
    const ended = token === request.endOfText;
    if (!ended) tokens.push(token);
    const looped = !ended && tokens.length % ROUNDS === 0 && request.isLoop?.(tokens) === true;
    if (!ended && !looped && tokens.length < request.maximumTokens) return;
    this.#leave(running);
    const { sumLogprob, noSpeechProbability } = running;
    resolve({ tokens, sumLogprob, noSpeechProbability, looped });
  }

  #leave(running: Running) {
    this.#running = this.#running.filter((one) => one !== running);
    running.batch.leave(running.row);
  }

  async #search(window: EncodedWindow, request: DecodeRequest, beam: BeamSettings, signal: AbortSignal) {
    const batch = this.#model.newBatch();
    try {
      return await searchBeams(batch, window, request, beam, async () => {
        await nextTurn();
        signal.throwIfAborted();
      });
    } finally {
      for (const row of [...batch.rows]) batch.leave(row);
    }
  }

  /** Fails tasks, or has them begin again with half the width where memory was what lacked. */
  #giveUp(error: unknown, tasks: readonly DecodeTask[]) {
    if (this.#narrow(error)) this.#decoding.unshift(...tasks);
    else for (const { reject } of tasks) reject(error);
  }

  #narrow(error: unknown): boolean {
    if (asSpeechError(error).code !== "out_of_memory" || this.#width === 1) return false;
    this.#width = Math.max(1, this.#width >> 1);
    return true;
  }
}

const NOTHING = new Float32Array(0);

function joiningWindow({ window, request }: DecodeTask) {
  const { prompt, startPosition, inGraph } = request;
  const logitsAt = [startPosition, prompt.length - 1];
  const { audio, row } = window;
  return { audio, row, prompt, logitsAt, timed: inGraph !== undefined, suppress: inGraph?.suppress ?? NOTHING };
}
