import { type InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { SpeechError } from "../speech-error.ts";
import type { DecoderBatch } from "./decoder-batch.ts";
import { ExportBatch } from "./export-batch.ts";
import { type ExportFiles, exportFiles } from "./export-files.ts";
import { openSession, type SessionSettings } from "./open-session.ts";
import { floatTensor, floatValues, idTensor } from "./tensors.ts";
import type { Alignment, DecoderState, EncodedAudio, WhisperModel } from "./whisper-model.ts";

type Feeds = Record<string, Tensor>;

type ExportAudio = EncodedAudio & { hidden: Tensor | undefined };

export type ExportState = DecoderState & {
  /** `past_key_values.*` for the next step: cross-attention's stay, self-attention's are replaced at every step. */
  past: Feeds;
};

/**
 * The hub's export as it is: `encoder_model.onnx` and `decoder_model_merged.onnx`, whose two branches (`use_cache_branch`)
 * start a text and go on with it. Names, types and shapes are read from the sessions. Keys and values pass through JS.
 */
export class OnnxExportModel implements WhisperModel {
  readonly maxBatch: number;
  readonly canAlign: boolean;
  readonly #model: ModelFolder;
  readonly #encoder: InferenceSession;
  readonly #decoder: InferenceSession;
  readonly #encoderInput: { name: string; type: string };
  readonly #inputTypes: ReadonlyMap<string, string>;
  /** `past_key_values.*` with the output that replaces each. */
  readonly #past: { input: string; output: string; cross: boolean }[];
  readonly #stepOutputs: string[];

  static async open(
    model: ModelFolder,
    settings: SessionSettings,
    files: Pick<ExportFiles, "encoder" | "decoder"> = exportFiles(model.folder),
  ): Promise<OnnxExportModel> {
    const encoder = await openSession(files.encoder, settings);
    try {
      const decoder = await openSession(files.decoder, settings);
      try {
        return new OnnxExportModel(model, encoder, decoder);
      } catch (error) {
        await decoder.release();
        throw error;
      }
    } catch (error) {
      await encoder.release();
      throw error;
    }
  }

  private constructor(model: ModelFolder, encoder: InferenceSession, decoder: InferenceSession) {
    this.#model = model;
    this.#encoder = encoder;
    this.#decoder = decoder;
    const encoderTypes = typesOf(encoder.inputMetadata);
    requireNames("encoder", encoderTypes.keys(), ["input_features"]);
    this.#encoderInput = { name: "input_features", type: encoderTypes.get("input_features") ?? "" };

    this.#inputTypes = typesOf(decoder.inputMetadata);
    this.#past = decoder.inputNames
      .filter((name) => name.startsWith("past_key_values."))
      .map((input) => ({
        input,
        output: input.replace("past_key_values.", "present."),
        cross: input.includes(".encoder."),
      }));
    const { decoder_layers } = model.config;
    requireNames(
      "decoder",
      this.#inputTypes.keys(),
      ["input_ids", "encoder_hidden_states", "use_cache_branch", ...this.#past.map(({ input }) => input)],
      true,
    );
    requireNames("decoder's output", decoder.outputNames, ["logits", ...this.#past.map(({ output }) => output)]);
    if (this.#past.length !== 4 * decoder_layers) {
      throw new SpeechError(
        "invalid_model",
        `the decoder takes ${this.#past.length} keys and values, ${decoder_layers} layers have ${4 * decoder_layers}`,
      );
    }
    this.#stepOutputs = ["logits", ...this.#past.filter(({ cross }) => !cross).map(({ output }) => output)];
    this.canAlign = Array.from({ length: decoder_layers }, (_, layer) => `cross_attentions.${layer}`).every((name) =>
      decoder.outputNames.includes(name),
    );
    // A graph that quantizes its activations has one scale for all rows: neighbours would change each other's text.
    this.maxBatch = 1;
  }

  async encode(mel: Float32Array, batch: number): Promise<ExportAudio> {
    const { config, windowFrames } = this.#model;
    const { name, type } = this.#encoderInput;
    const feeds = { [name]: floatTensor(type, mel, [batch, config.num_mel_bins, windowFrames]) };
    const output = await this.#encoder.run(feeds);
    const hidden = output[this.#encoder.outputNames[0]];
    if (hidden.dims[1] !== config.max_source_positions || hidden.dims[2] !== config.d_model) {
      throw new SpeechError("invalid_model", `the encoder answers with [${hidden.dims}]`);
    }
    const audio: ExportAudio = {
      batch,
      hidden,
      release() {
        audio.hidden?.dispose();
        audio.hidden = undefined;
      },
    };
    return audio;
  }

  async prefill(
    audio: EncodedAudio,
    rows: readonly number[],
    prompts: readonly (readonly number[])[],
    logitsAt: readonly number[],
  ): Promise<{ state: ExportState; logits: Float32Array }> {
    const length = prompts[0].length;
    const feeds = this.#firstFeeds(audio as ExportAudio, rows, prompts.flat(), length);
    const output = await this.#decoder.run(feeds, ["logits", ...this.#past.map(({ output }) => output)]);
    const all = this.#logits(output.logits, rows.length * length);
    const vocabulary = this.#model.config.vocab_size;
    const logits = new Float32Array(rows.length * logitsAt.length * vocabulary);
    let place = 0;
    for (let row = 0; row < rows.length; row++) {
      for (const position of logitsAt) {
        const from = (row * length + position) * vocabulary;
        logits.set(all.subarray(from, from + vocabulary), place);
        place += vocabulary;
      }
    }
    output.logits.dispose();
    const past: Feeds = { encoder_hidden_states: feeds.encoder_hidden_states };
    for (const { input, output: name } of this.#past) past[input] = output[name] as Tensor;
    return { state: this.#stateOf(rows.length, past), logits };
  }

  /** Another state that goes on from where this one is. */
  copy(state: DecoderState): ExportState {
    const past: Feeds = { ...(state as ExportState).past };
    for (const { input, cross } of this.#past) {
      // Numbers are shared, never written; what holds them is not, for each state lets go of its own.
      if (!cross) past[input] = new Tensor(past[input].type, past[input].data, past[input].dims);
    }
    return this.#stateOf(state.rows, past);
  }

  newBatch(): DecoderBatch {
    return new ExportBatch(this, this.#model.config.vocab_size, this.#model.special.endOfText);
  }

  async step(state: DecoderState, tokens: readonly number[]): Promise<Float32Array> {
    const { past } = state as ExportState;
    const feeds: Feeds = {
      ...past,
      input_ids: idTensor(this.#typeOf("input_ids"), tokens, [tokens.length, 1]),
      use_cache_branch: new Tensor("bool", [true], [1]),
    };
    const output = await this.#decoder.run(feeds, this.#stepOutputs);
    for (const { input, output: name, cross } of this.#past) {
      if (cross) continue;
      past[input].dispose();
      past[input] = output[name] as Tensor;
    }
    return this.#logits(output.logits, tokens.length);
  }

  async align(
    audio: EncodedAudio,
    row: number,
    tokens: readonly number[],
    heads: readonly (readonly [number, number])[],
    textVocabulary: number,
  ): Promise<Alignment> {
    const layers = [...new Set(heads.map(([layer]) => layer))];
    const feeds = this.#firstFeeds(audio as ExportAudio, [row], tokens, tokens.length);
    const output = await this.#decoder.run(feeds, ["logits", ...layers.map((layer) => `cross_attentions.${layer}`)]);
    const positions = this.#model.config.max_source_positions;
    const size = tokens.length * positions;
    const weights = new Float32Array(heads.length * size);
    const ofLayer = new Map(layers.map((layer) => [layer, floatValues(output[`cross_attentions.${layer}`])]));
    for (const [i, [layer, head]] of heads.entries()) {
      weights.set(ofLayer.get(layer)?.subarray(head * size, (head + 1) * size) ?? [], i * size);
    }
    const vocabulary = this.#model.config.vocab_size;
    const logits = this.#logits(output.logits, tokens.length);
    const probabilities = Float32Array.from({ length: tokens.length - 1 }, (_, i) =>
      probabilityOf(logits.subarray(i * vocabulary, i * vocabulary + textVocabulary), tokens[i + 1]),
    );
    disposeAll(output);
    return { weights, positions, probabilities };
  }

  async close(): Promise<void> {
    await this.#encoder.release();
    await this.#decoder.release();
  }

  /** What the branch without cache is fed: rows of encoded audio, whole prompts, keys and values of no length. */
  #firstFeeds(audio: ExportAudio, rows: readonly number[], ids: readonly number[], length: number): Feeds {
    const { config } = this.#model;
    const batch = rows.length;
    if (!audio.hidden) throw new SpeechError("internal", "encoded audio was released too early");
    const feeds: Feeds = {
      input_ids: idTensor(this.#typeOf("input_ids"), ids, [batch, length]),
      encoder_hidden_states: this.#selectRows(audio, rows),
      use_cache_branch: new Tensor("bool", [false], [1]),
    };
    const headSize = config.d_model / config.decoder_attention_heads;
    for (const { input } of this.#past) {
      const dims = [batch, config.decoder_attention_heads, 0, headSize];
      feeds[input] = floatTensor(this.#typeOf(input), new Float32Array(0), dims);
    }
    return feeds;
  }

  #stateOf(rows: number, past: Feeds): ExportState {
    // Cross-attention's tensors are of all copies of a state: the last of them is found by the collector.
    const release = () => {
      for (const { input, cross } of this.#past) if (!cross) past[input].dispose();
    };
    return { rows, past, release };
  }

  #selectRows(audio: ExportAudio, rows: readonly number[]): Tensor {
    const hidden = audio.hidden as Tensor;
    const type = this.#typeOf("encoder_hidden_states");
    if (rows.length === audio.batch && rows.every((row, i) => row === i) && hidden.type === type) return hidden;
    const values = floatValues(hidden);
    const size = values.length / audio.batch;
    const chosen = new Float32Array(rows.length * size);
    for (const [i, row] of rows.entries()) chosen.set(values.subarray(row * size, (row + 1) * size), i * size);
    return floatTensor(type, chosen, [rows.length, ...hidden.dims.slice(1)]);
  }

  #typeOf(input: string): string {
    return this.#inputTypes.get(input) ?? "";
  }

  #logits(tensor: Tensor, rows: number): Float32Array {
    const values = floatValues(tensor);
    if (values.length === rows * this.#model.config.vocab_size) return values;
    throw new SpeechError("invalid_model", `the decoder answers with logits [${tensor.dims}]`);
  }
}

/** Softmax probability of one id among `logits`; 0 where it lies outside. */
function probabilityOf(logits: Float32Array, id: number): number {
  if (id >= logits.length) return 0;
  let maximum = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (logits[i] > maximum) maximum = logits[i];
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - maximum);
  return Math.exp(logits[id] - maximum) / sum;
}

function typesOf(metadata: readonly InferenceSession.ValueMetadata[]): Map<string, string> {
  return new Map(metadata.map((value) => [value.name, value.isTensor ? value.type : ""]));
}

function requireNames(what: string, found: Iterable<string>, needed: readonly string[], nothingElse = false) {
  const names = new Set(found);
  const missing = needed.filter((name) => !names.has(name));
  const unknown = nothingElse ? [...names].filter((name) => !needed.includes(name)) : [];
  if (missing.length > 0 || unknown.length > 0) {
    const said = [...missing.map((name) => `lacks ${name}`), ...unknown.map((name) => `asks for ${name}`)];
    throw new SpeechError("invalid_model", `the ${what} ${said.join(", ")}`);
  }
}

function disposeAll(tensors: InferenceSession.ReturnType) {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}
