import type { DecoderBatch, DecoderRow, JoiningWindow, WholeText, WholeWindow } from "../sessions/decoder-batch.ts";
import type { WhisperModel } from "../sessions/whisper-model.ts";
import type { ChooseToken } from "../whisper/choose-token.ts";
import { logSumExp } from "../whisper/log-softmax.ts";
import type { DecodeRequest, EncodedWindow, RawText } from "../whisper/window-decoder.ts";
import type { Lane } from "./fair-shares.ts";

/** Something that a request waits for. */
export type Task<Result> = {
  lane: Lane;
  signal: AbortSignal;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
};
export type DecodeTask = Task<RawText> & { window: EncodedWindow; request: DecodeRequest };

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

/** Told of a run that failed, and whose windows were in it. */
type RunFailed = (error: unknown, tasks: readonly DecodeTask[]) => void;

/** Told before a run of whose it is, and of how many windows. */
type TellRun = (key: string, rows: number) => void;

/** Tokens that a graph chooses in one run: rows come and go, and a cancelled one ends, at this pace. */
const ROUNDS = 8;

/**
 * The windows that a model is decoding: those whose tokens the graph chooses in one batch, those whose tokens are chosen
 * here in another. A window that ends resolves its task; one whose run fails is told to `failed`, and is here no more.
 */
export class RunningWindows {
  readonly #model: WhisperModel;
  readonly #failed: RunFailed;
  #running: Running[] = [];
  #batches: { advancing?: DecoderBatch; stepping?: DecoderBatch } = {};

  constructor(model: WhisperModel, failed: RunFailed) {
    this.#model = model;
    this.#failed = failed;
  }

  get count(): number {
    return this.#running.length;
  }

  /**
   * Lets windows into their batches: their prompts are run, and their first tokens chosen; where the graph goes all the
   * way, they are at their end with that run.
   */
  async join(joining: readonly DecodeTask[], tell: TellRun) {
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
        if (batch === advancing && batch.decodeWhole) {
          tell(tasks[0].lane.key, tasks.length);
          const texts = await batch.decodeWhole(tasks.map(wholeWindow));
          for (const [i, { signal, request, resolve, reject }] of tasks.entries()) {
            if (signal.aborted) reject(signal.reason);
            else resolve(readWhole(texts[i], request));
          }
          continue;
        }
        const joined = await batch.join(tasks.map(joiningWindow));
        for (const [i, { row, logits }] of joined.entries()) this.#begin(tasks[i], batch, row, logits);
      } catch (error) {
        this.#failed(error, tasks);
      }
    }
  }

  /** One run of each batch. */
  async advance(tell: TellRun) {
    const { advancing, stepping } = this.#batches;
    for (const batch of [advancing, stepping]) {
      const running = this.#running.filter((one) => one.batch === batch);
      if (!batch || running.length === 0) continue;
      tell(running[0].task.lane.key, running.length);
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
        // What a failed run left of a batch is not to be trusted.
        if (batch === advancing) delete this.#batches.advancing;
        else delete this.#batches.stepping;
        this.#failed(
          error,
          running.map(({ task }) => task),
        );
      }
    }
  }

  /** Windows of cancelled requests leave, and their tasks are rejected. */
  dropAborted() {
    for (const running of [...this.#running]) {
      const { signal, reject } = running.task;
      if (!signal.aborted) continue;
      this.#leave(running);
      reject(signal.reason);
    }
  }

  /** All windows leave, unfinished; whatever comes next begins with batches of its own. */
  takeAll(): DecodeTask[] {
    const tasks = this.#running.map(({ task }) => task);
    this.#running = [];
    this.#batches = {};
    return tasks;
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
    const text = grow(running, token, logProbability, running.task.request);
    if (!text) return;
    this.#leave(running);
    running.task.resolve(text);
  }

  #leave(running: Running) {
    this.#running = this.#running.filter((one) => one !== running);
    running.batch.leave(running.row);
  }
}

type Text = Omit<RawText, "looped">;

/** Adds a token to a text; what the text is where that ends it. */
function grow(text: Text, token: number, logProbability: number, request: DecodeRequest): RawText | undefined {
  const { tokens, noSpeechProbability } = text;
  text.sumLogprob += logProbability;
  const ended = token === request.endOfText;
  if (!ended) tokens.push(token);
  const looped = !ended && tokens.length % ROUNDS === 0 && request.isLoop?.(tokens) === true;
  if (!ended && !looped && tokens.length < request.maximumTokens) return undefined;
  return { tokens, sumLogprob: text.sumLogprob, noSpeechProbability, looped };
}

/** A text that was decoded to its end, cut where it goes round in circles. */
function readWhole({ tokens, logProbabilities, noSpeechProbability }: WholeText, request: DecodeRequest): RawText {
  const text: Text = { tokens: [], sumLogprob: 0, noSpeechProbability };
  for (const [i, token] of tokens.entries()) {
    const whole = grow(text, token, logProbabilities[i], request);
    if (whole) return whole;
  }
  return { ...text, looped: false };
}

const NOTHING = new Float32Array(0);

function wholeWindow(task: DecodeTask): WholeWindow {
  const { request } = task;
  const { startPosition, maximumTokens } = request;
  const { logitsAt: _, ...joining } = joiningWindow(task);
  // Rules of a first token do not ask for the logits: what they do to zeros is all they do.
  const first = new Float32Array(joining.suppress.length);
  for (const rule of request.rules) rule(first, []);
  return { ...joining, startPosition, maximumTokens, first };
}

function joiningWindow({ window, request }: DecodeTask): JoiningWindow {
  const { prompt, startPosition, inGraph } = request;
  const logitsAt = [startPosition, prompt.length - 1];
  const { audio, row } = window;
  return { audio, row, prompt, logitsAt, timed: inGraph !== undefined, suppress: inGraph?.suppress ?? NOTHING };
}
