import { type InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { LazySession } from "../sessions/lazy-session.ts";
import { openSession, type SessionSettings } from "../sessions/open-session.ts";
import type { Alignment, DecoderState, EncodedAudio, WhisperModel } from "../sessions/whisper-model.ts";
import { SpeechError } from "../speech-error.ts";
import { type AlignedRow, softmax, teacherForce } from "./align-rows.ts";
import type { DecoderShape } from "./batch-row.ts";
import type { CompiledFiles } from "./compile-model.ts";
import { type CompiledAudio, encodeWindows } from "./encode-windows.ts";
import { type Decoding, onProcessor, openDecoding, shapeOf, stayingOnDevice } from "./open-decoding.ts";
import { stateNames } from "./portable-decoder.ts";
import { MOST_WHOLE_ROWS } from "./whole-batch.ts";

type CompiledState = DecoderState & { batch: CompiledBatch };
type CompiledBatch = ReturnType<Decoding["newBatch"]>;

/** More rows a run win little on a processor, and cost memory. */
const MAXIMUM_ROWS = 8;

/** Graphs that `compileModel` made, as the model that decoding asks. */
export class CompiledModel implements WhisperModel {
  readonly maxBatch: number;
  readonly canAlign: boolean;
  readonly #model: ModelFolder;
  readonly #files: CompiledFiles;
  readonly #settings: SessionSettings;
  readonly #features: InferenceSession;
  readonly #encoder: LazySession;
  readonly #decoding: Decoding;
  readonly #shape: DecoderShape;
  readonly #nothingSuppressed: Float32Array;
  readonly #heads: ReadonlyMap<string, number>;
  /** Opened when words are first asked for. */
  #alignment: Promise<InferenceSession> | undefined;

  static async open(
    model: ModelFolder,
    files: CompiledFiles,
    heads: readonly (readonly [number, number])[],
    settings: SessionSettings,
  ): Promise<CompiledModel> {
    const shape = shapeOf(model);
    const opened: { release(): Promise<void> }[] = [];
    try {
      const features = await openSession(files.features, onProcessor(settings));
      opened.push(features);
      const { cross } = stateNames(shape.layers);
      const encoder = new LazySession(files.encoder, settings, stayingOnDevice(settings, cross));
      opened.push(encoder);
      // A graph that goes all the way encodes by itself.
      if (files.form !== "whole") await encoder.open();
      const decoding = await openDecoding(files, model, settings);
      opened.push(decoding);
      return new CompiledModel(model, files, heads, settings, shape, { features, encoder, decoding });
    } catch (error) {
      for (const part of opened) await part.release();
      throw error;
    }
  }

  private constructor(
    model: ModelFolder,
    files: CompiledFiles,
    heads: readonly (readonly [number, number])[],
    settings: SessionSettings,
    shape: DecoderShape,
    { features, encoder, decoding }: { features: InferenceSession; encoder: LazySession; decoding: Decoding },
  ) {
    this.maxBatch = files.form === "whole" ? MOST_WHOLE_ROWS : MAXIMUM_ROWS;
    this.#model = model;
    this.#files = files;
    this.#settings = settings;
    this.#features = features;
    this.#encoder = encoder;
    this.#decoding = decoding;
    this.#shape = shape;
    this.#heads = new Map(heads.map((pair, place) => [pair.join(), place]));
    this.canAlign = files.alignment !== undefined;
    this.#nothingSuppressed = new Float32Array(shape.vocabulary.size);
  }

  /**
   * Log-mel features `[batch, bins, frames]` of windows `[batch, windowSamples]`, each padded with zeros and limited by
   * its own maximum.
   */
  async features(samples: Float32Array, batch: number): Promise<Float32Array> {
    const { windowSamples } = this.#model;
    const feeds = { samples: new Tensor("float32", samples, [batch, 1, windowSamples]) };
    return (await this.#features.run(feeds)).mel.data as Float32Array;
  }

  async encode(mel: Float32Array, batch: number): Promise<CompiledAudio> {
    const { config, windowFrames } = this.#model;
    const run = async (values: Float32Array, count: number) => {
      const feeds = { mel: new Tensor("float32", values, [count, config.num_mel_bins, windowFrames]) };
      return (await this.#encoder.run(feeds, this.#decoding.crossNames)) as Record<string, Tensor>;
    };
    return encodeWindows(this.#files.form, mel, batch, run);
  }

  /** An empty batch of ragged rows, for decoding many windows together with the rules inside the graph. */
  newBatch(): CompiledBatch {
    return this.#decoding.newBatch();
  }

  async prefill(
    audio: EncodedAudio,
    rows: readonly number[],
    prompts: readonly (readonly number[])[],
    logitsAt: readonly number[],
  ): Promise<{ state: CompiledState; logits: Float32Array }> {
    const batch = this.newBatch();
    const suppress = this.#nothingSuppressed;
    const joined = await batch.join(
      rows.map((row, i) => ({
        audio: this.#held(audio),
        row,
        prompt: prompts[i],
        logitsAt,
        timed: false,
        suppress,
      })),
    );
    const logits = new Float32Array(joined.length * logitsAt.length * this.#shape.vocabulary.size);
    for (const [i, one] of joined.entries()) logits.set(one.logits, i * one.logits.length);
    // The memory goes with the batch; there is nothing native to give back.
    return { state: { rows: rows.length, batch, release() {} }, logits };
  }

  async step(state: DecoderState, tokens: readonly number[]): Promise<Float32Array> {
    const { batch } = state as CompiledState;
    for (const row of batch.rows) row.last = tokens[row.slot];
    return batch.step();
  }

  async align(
    audio: EncodedAudio,
    row: number,
    tokens: readonly number[],
    heads: readonly (readonly [number, number])[],
    _textVocabulary: number,
  ): Promise<Alignment> {
    const [one] = await this.alignRows([{ audio, row, tokens }]);
    const size = tokens.length * one.positions;
    const weights = new Float32Array(heads.length * size);
    for (const [i, pair] of heads.entries()) {
      const place = this.#heads.get(pair.join());
      if (place === undefined) throw new SpeechError("internal", `no alignment was compiled for head [${pair}]`);
      weights.set(one.scores.subarray(place * size, (place + 1) * size), i * size);
    }
    for (let from = 0; from < weights.length; from += one.positions) {
      softmax(weights.subarray(from, from + one.positions));
    }
    return { weights, positions: one.positions, probabilities: one.probabilities.slice(0, -1) };
  }

  /**
   * Teacher-forces the tokens of several windows in one run. For each: `scores` `[compiled heads, tokens, positions]`,
   * scaled attention scores before softmax, and `probabilities` `[tokens]`: that of the token after each, among text.
   */
  async alignRows(
    windows: readonly { audio: EncodedAudio; row: number; tokens: readonly number[] }[],
    wantsProbabilities = true,
  ): Promise<AlignedRow[]> {
    const session = await this.#openAlignment();
    const heard = windows.map(async ({ audio, row, tokens }) => {
      return { tokens, cross: await this.#decoding.read(await this.#held(audio).cross(row)) };
    });
    return teacherForce(session, this.#shape, this.#heads.size, await Promise.all(heard), wantsProbabilities);
  }

  async close(): Promise<void> {
    for (const part of [this.#features, this.#encoder, this.#decoding]) await part.release();
    await (await this.#alignment)?.release();
  }

  #openAlignment(): Promise<InferenceSession> {
    const { alignment } = this.#files;
    if (!alignment) throw new SpeechError("internal", "this model was compiled without alignment");
    this.#alignment ??= openSession(alignment, onProcessor(this.#settings));
    return this.#alignment;
  }

  #held(audio: EncodedAudio): CompiledAudio {
    const own = audio as CompiledAudio;
    if (own.released) throw new SpeechError("internal", "encoded audio was released too early");
    return own;
  }
}
