import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { WindowFeatures } from "../features/feature-source.ts";
import { type ModelFolder, readModelFolder } from "../model/read-model-folder.ts";
import { type ModelSettings, openWhisperModel } from "../sessions/open-whisper-model.ts";
import type { WhisperModel } from "../sessions/whisper-model.ts";
import { type Announce, announceRuns, RunTimes } from "./announce-runs.ts";
import { SharedModel } from "./shared-model.ts";

export type LoadedModel = {
  model: ModelFolder;
  shared: SharedModel;
  /** Features by the model's own graph, where it has one. */
  features: WindowFeatures | undefined;
  close(): Promise<void>;
};
export type HeldModel = LoadedModel & { release(): void };

type Entry = { loading: Promise<LoadedModel>; users: number; idleTimer?: NodeJS.Timeout };

/** Loading reads and optimises all weights. */
const LOAD_FLOOR_MS = 120_000;

/** The models in memory: each loaded once, on first use, kept while used and for a while after. */
export class LoadedModels {
  readonly #settings: ModelSettings;
  readonly #idleMs: number;
  readonly #deadlineFloorMs: number;
  readonly #announce: Announce;
  readonly #entries = new Map<string, Entry>();

  constructor(settings: ModelSettings, limits: { idleMs: number; deadlineFloorMs: number }, announce: Announce) {
    this.#settings = settings;
    this.#announce = announce;
    this.#idleMs = limits.idleMs;
    this.#deadlineFloorMs = limits.deadlineFloorMs;
  }

  /** The model of a folder, loaded where it is not; release it after use. Throws `model_unavailable`, `invalid_model`. */
  async hold(folder: string, key: string): Promise<HeldModel> {
    let entry = this.#entries.get(folder);
    if (!entry) {
      entry = { loading: this.#load(folder, key), users: 0 };
      this.#entries.set(folder, entry);
    }
    const held = entry;
    held.users++;
    clearTimeout(held.idleTimer);
    try {
      const loaded = await held.loading;
      let released = false;
      const release = () => {
        if (!released) this.#letGo(folder, held);
        released = true;
      };
      return { ...loaded, release };
    } catch (error) {
      // A folder may be complete the next time.
      if (this.#entries.get(folder) === held) this.#entries.delete(folder);
      throw error;
    }
  }

  async #load(folder: string, key: string): Promise<LoadedModel> {
    const model = await readModelFolder(folder);
    const weightBytes = await bytesOfWeights(folder);
    const load = new RunTimes(Math.max(LOAD_FLOOR_MS, this.#deadlineFloorMs), weightBytes);
    this.#announce("load", load.deadlineMs("load"), key);
    const network = await openWhisperModel(model, this.#settings);
    const times = new RunTimes(this.#deadlineFloorMs, weightBytes);
    const announced = announceRuns(network, times, this.#announce, () => shared.current);
    const shared = new SharedModel(announced);
    return { model, shared, features: ownFeatures(announced, model), close: () => network.close() };
  }

  #letGo(folder: string, entry: Entry) {
    entry.users--;
    if (entry.users > 0) return;
    entry.idleTimer = setTimeout(() => {
      this.#entries.delete(folder);
      entry.loading.then((loaded) => loaded.close()).catch(() => {});
    }, this.#idleMs);
    entry.idleTimer.unref();
  }
}

function ownFeatures(network: WhisperModel, { windowSamples }: ModelFolder): WindowFeatures | undefined {
  const features = network.features?.bind(network);
  return features && ((samples) => features(padded(samples, windowSamples), 1));
}

function padded(samples: Float32Array, length: number): Float32Array {
  const all = new Float32Array(length);
  all.set(samples.length > length ? samples.subarray(0, length) : samples);
  return all;
}

async function bytesOfWeights(folder: string): Promise<number> {
  const names = (await readdir(folder, { recursive: true })).filter((name) =>
    /\.(onnx|onnx_data|safetensors)$/.test(name),
  );
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return Math.max(0, ...sizes);
}
