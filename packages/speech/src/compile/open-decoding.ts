import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { LazySession } from "../sessions/lazy-session.ts";
import { openSession, type SessionSettings } from "../sessions/open-session.ts";
import type { DecoderShape } from "./batch-row.ts";
import type { CompiledFiles } from "./compile-model.ts";
import { crossShape } from "./cross-attention.ts";
import { stateNames } from "./portable-decoder.ts";
import { RowBatch } from "./row-batch.ts";
import { SteppedBatch, type StepSessions } from "./stepped-batch.ts";
import { WholeBatch } from "./whole-batch.ts";

/** The open graphs that decode. */
export type Decoding = {
  /** Names of a window's keys and values, which the encoder gives and the decoder takes. */
  crossNames: readonly string[];
  newBatch(): RowBatch | SteppedBatch | WholeBatch;
  /** A window's keys and values where JavaScript can read them. */
  read(window: Tensors): Promise<Tensors>;
  release(): Promise<void>;
};

type Tensors = Readonly<Record<string, Tensor>>;

export function shapeOf({ config, special }: ModelFolder): DecoderShape {
  return {
    ...crossShape(config),
    layers: config.decoder_layers,
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

/** Opens what every text needs; what only some ask for is opened when they do. */
export async function openDecoding(
  files: CompiledFiles,
  model: ModelFolder,
  settings: SessionSettings,
): Promise<Decoding> {
  const shape = shapeOf(model);
  if (files.form === "loop") {
    const session = await openSession(files.decoder, settings);
    return {
      crossNames: session.inputNames.filter((name) => name.startsWith("cross_")),
      newBatch: () => new RowBatch(session, shape),
      read: async (window) => window,
      release: () => session.release(),
    };
  }
  const { held, cross } = stateNames(shape.layers);
  const graph = (path: string, outputs: readonly string[]) => {
    const next = outputs.map((name) => `next_${name}`);
    return new LazySession(path, settings, stayingOnDevice(settings, next));
  };
  const sessions: StepSessions = {
    prompt: graph(files.prompt, held),
    steps: graph(files.decoder, held),
    single: graph(files.single, held),
    append: graph(files.append, [...held, ...cross]),
    select: graph(files.select, [...held, ...cross]),
  };
  const reading = graph(files.read, []);
  const whole = graph(files.whole, []);
  const release = async () => {
    for (const session of [...Object.values(sessions), reading, whole]) await session.release();
  };
  const { prompt, steps, append, select } = sessions;
  try {
    for (const session of files.form === "whole" ? [whole] : [prompt, steps, append, select]) await session.open();
  } catch (error) {
    await release();
    throw error;
  }
  const sizes = { ...shape, melBins: model.config.num_mel_bins, windowFrames: model.windowFrames };
  return {
    crossNames: cross,
    newBatch: () =>
      files.form === "whole" ? new WholeBatch(whole, sessions, sizes) : new SteppedBatch(sessions, shape),
    async read(window) {
      if (Object.values(window).every(({ location }) => location === "cpu")) return window;
      const output = (await reading.run(window)) as Record<string, Tensor>;
      return Object.fromEntries(Object.entries(output).map(([name, tensor]) => [name.replace("read_", ""), tensor]));
    },
    release,
  };
}
