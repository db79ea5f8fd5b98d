import { setImmediate as nextTurn } from "node:timers/promises";
import { ProviderChanged } from "../sessions/model-with-fallback.ts";
import type { Alignment, WhisperModel } from "../sessions/whisper-model.ts";
import { asSpeechError, SpeechError } from "../speech-error.ts";
import { searchBeams } from "../whisper/beam-search.ts";
import type { BeamSettings, DecodeRequest, EncodedWindow, WindowDecoder } from "../whisper/window-decoder.ts";
import { FairShares, type Lane, type Standing } from "./fair-shares.ts";
import { type DecodeTask, RunningWindows, type Task } from "./running-windows.ts";

export type ModelRuns = {
  /** Told of each run of decoding: its rows, and how many there could have been. */
  onRun?: (rows: number, width: number) => void;
  /** Told when memory has run out, and how many rows share a run from then on. */
  onNarrowed?: (rows: number, reason: string) => void;
};

type EncodeTask = Task<EncodedWindow> & { features: () => Promise<Float32Array> };
/** Work that takes the model for itself until it is done. */
type SoloTask = Task<unknown> & { run: () => Promise<unknown> };

/**
 * A model that several requests decode with at once. Windows of all of them share its batches: whoever has the fewest
 * windows under way is served first, then the older request, so that a short one is not stuck behind a long one. Runs come
 * one after the other; between two of them rows join and leave, and what was cancelled is dropped. Where memory runs out
 * half the rows share a run from then on; where the model changes its provider, its windows begin again.
 */
export class SharedModel {
  readonly #model: WhisperModel;
  readonly #told: ModelRuns;
  readonly #shares = new FairShares();
  readonly #windows: RunningWindows;
  /** More rows than this do not fit into memory together. */
  #limit = Number.POSITIVE_INFINITY;
  #encoding: EncodeTask[] = [];
  #decoding: DecodeTask[] = [];
  #solo: SoloTask[] = [];
  #busy = false;
  /** Key of the request whose run is under way. */
  current = "";

  constructor(model: WhisperModel, told: ModelRuns = {}) {
    this.#model = model;
    this.#told = told;
    this.#windows = new RunningWindows(model, (error, tasks) => this.#giveUp(error, tasks));
  }

  /** Windows that may be under way at once; fewer when memory has run out. */
  get width(): number {
    return Math.min(this.#model.maxBatch, this.#limit);
  }

  /** The model as one request sees it. */
  lane(key: string, standing: Standing = {}): WindowDecoder {
    const lane = this.#shares.enter(key, standing);
    const shared = this;
    const model = this.#model;
    const alone = <Result>(signal: AbortSignal, run: () => Promise<Result>) =>
      this.#submit<Result>(lane, signal, (task) => this.#solo.push({ ...task, run } as SoloTask));
    return {
      get canAlign() {
        return model.canAlign;
      },
      get width() {
        return shared.width;
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
      else if (this.#encoding.length > 0 && this.#shares.held < this.width) await this.#encodeNext();
      else if (this.#decoding.length > 0 && this.#windows.count < this.width) await this.#join();
      else if (this.#windows.count > 0) await this.#advance();
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
    this.#windows.dropAborted();
  }

  async #runSolo() {
    const [task] = this.#solo.splice(this.#shares.fairest(this.#solo), 1);
    this.current = task.lane.key;
    try {
      task.resolve((await task.run()) as never);
    } catch (error) {
      if (error instanceof ProviderChanged) this.#startAgain([], [task]);
      else task.reject(error);
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
      const narrowed = this.#narrow(error, this.#shares.held);
      give();
      if (narrowed) this.#encoding.unshift(task);
      else task.reject(plainly(error));
    }
  }

  /** Lets waiting windows into the batch. */
  async #join() {
    const room = this.width - this.#windows.count;
    const joining: DecodeTask[] = [];
    while (joining.length < room && this.#decoding.length > 0) {
      joining.push(...this.#decoding.splice(this.#shares.fairest(this.#decoding), 1));
    }
    this.current = joining[0].lane.key;
    await this.#windows.join(joining, (key, rows) => this.#tell(key, rows));
  }

  #advance() {
    return this.#windows.advance((key, rows) => this.#tell(key, rows));
  }

  #tell(key: string, rows: number) {
    this.current = key;
    this.#told.onRun?.(rows, this.width);
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

  /** Fails tasks, or has them begin again: in smaller batches where memory was what lacked, or with another provider. */
  #giveUp(error: unknown, tasks: readonly DecodeTask[]) {
    if (error instanceof ProviderChanged) this.#startAgain(tasks, []);
    else if (this.#narrow(error, tasks.length + this.#windows.count)) this.#decoding.unshift(...tasks);
    else for (const { reject } of tasks) reject(plainly(error));
  }

  /** What a provider was at when it failed is done by the next one, and before anything else. */
  #startAgain(decoding: readonly DecodeTask[], solo: readonly SoloTask[]) {
    this.#decoding.unshift(...decoding, ...this.#windows.takeAll());
    this.#solo.unshift(...solo);
  }

  /** Where memory ran out: half as many rows from now on. One that does not fit alone is no reason to halve others. */
  #narrow(error: unknown, rows: number): boolean {
    const { code, message } = asSpeechError(error);
    if (code !== "out_of_memory" || rows < 2) return false;
    this.#limit = Math.max(1, Math.min(rows, this.width) >> 1);
    this.#told.onNarrowed?.(this.#limit, message);
    return true;
  }
}

/** What is said of a window that does not even fit alone. */
function plainly(error: unknown): unknown {
  const { code, message } = asSpeechError(error);
  if (code !== "out_of_memory") return error;
  return new SpeechError(code, `one window alone does not fit into memory: ${message}`, error);
}
