import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { openSession, type SessionSettings } from "../sessions/open-session.ts";
import type { DecoderShape } from "./batch-row.ts";
import type { CompiledFiles } from "./compile-model.ts";
import { stateNames } from "./portable-decoder.ts";
import { RowBatch } from "./row-batch.ts";
import { SteppedBatch } from "./stepped-batch.ts";
import { WholeBatch } from "./whole-batch.ts";

/** The open graphs that decode. */
export type Decoding = {
  newBatch(): RowBatch | SteppedBatch | WholeBatch;
  /** A window's keys and values where JavaScript can read them. */
  read(window: Tensors): Promise<Tensors>;
  release(): Promise<void>;
};

type Tensors = Readonly<Record<string, Tensor>>;

export function shapeOf({ config, special }: ModelFolder): DecoderShape {
  return {
    layers: config.decoder_layers,
    heads: config.decoder_attention_heads,
    headSize: config.d_model / config.decoder_attention_heads,
    positions: config.max_source_positions,
    maximumTokens: config.max_target_positions,
    vocabulary: {
      size: config.vocab_size,
      endOfText: special.endOfText,
      noTimestamps: special.noTimestamps,
      firstTimestamp: special.firstTimestamp,
      timestampCount: special.timestampCount,
    },
  };
}

/** What is small, or is to be read at once, is computed on the processor whatever the provider. */
export function onProcessor(settings: SessionSettings): SessionSettings {
  return { ...settings, executionProviders: ["cpu"] };
}

/** Leaves outputs where they are computed, where JavaScript can hold them there: in WebGPU's buffers. */
export function stayingOnDevice(
  { executionProviders }: SessionSettings,
  outputs: readonly string[],
): InferenceSession.SessionOptions {
  if (executionProviders[0] !== "webgpu") return {};
  return { preferredOutputLocation: Object.fromEntries(outputs.map((name) => [name, "gpu-buffer"])) };
}

export async function openDecoding(
  files: CompiledFiles,
  model: ModelFolder,
  settings: SessionSettings,
): Promise<Decoding> {
  const shape = shapeOf(model);
  if (files.form === "loop") {
    const session = await openSession(files.decoder, settings);
    return {
      newBatch: () => new RowBatch(session, shape),
      read: async (window) => window,
      release: () => session.release(),
    };
  }
  const { held, cross } = stateNames(shape.layers);
  const next = (names: readonly string[]) =>
    stayingOnDevice(
      settings,
      names.map((name) => `next_${name}`),
    );
  const opened: InferenceSession[] = [];
  const open = async (path: string, names: readonly string[]) => {
    const session = await openSession(path, settings, next(names));
    opened.push(session);
    return session;
  };
  const release = async () => {
    for (const session of opened.splice(0)) await session.release();
  };
  try {
    const prompt = await open(files.prompt, held);
    const steps = await open(files.decoder, held);
    const append = await open(files.append, [...held, ...cross]);
    const select = await open(files.select, [...held, ...cross]);
    let single: Promise<InferenceSession> | undefined;
    const openSingle = () => {
      single ??= open(files.single, held);
      return single;
    };
    const reading = await open(files.read, []);
    const read = async (window: Tensors) => {
      if (Object.values(window).every(({ location }) => location === "cpu")) return window;
      const output = (await reading.run(window)) as Record<string, Tensor>;
      return Object.fromEntries(Object.entries(output).map(([name, tensor]) => [name.replace("read_", ""), tensor]));
    };
    const sessions = { prompt, steps, append, select, single: openSingle };
    if (files.form === "steps") return { newBatch: () => new SteppedBatch(sessions, shape), read, release };
    const whole = await open(files.whole, []);
    const sizes = { ...shape, melBins: model.config.num_mel_bins, windowFrames: model.windowFrames };
    return { newBatch: () => new WholeBatch(whole, sessions, sizes), read, release };
  } catch (error) {
    await release();
    throw error;
  }
}
