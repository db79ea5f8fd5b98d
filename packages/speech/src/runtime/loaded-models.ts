import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { WindowFeatures } from "../features/feature-source.ts";
import { type ModelFolder, readModelFolder } from "../model/read-model-folder.ts";
import { freeMemory } from "../sessions/free-memory.ts";
import { ModelWithFallback } from "../sessions/model-with-fallback.ts";
import { type ModelSettings, type OpenedModel, openWhisperModel } from "../sessions/open-whisper-model.ts";
import type { WhisperModel } from "../sessions/whisper-model.ts";
import { providersAfter } from "../sessions/working-provider.ts";
import { type Announce, announceRuns, RunTimes } from "./announce-runs.ts";
import { type ModelRuns, SharedModel } from "./shared-model.ts";

export type LoadedModel = {
  model: ModelFolder;
  shared: SharedModel;
  /** Features by the model's own graph, where it has one. */
  features: WindowFeatures | undefined;
  /** Provider, precision and graphs; another one when the provider has failed. */
  computation: () => string;
  close(): Promise<void>;
};
export type HeldModel = LoadedModel & { release(): void };

export type ModelLimits = {
  idleMs: number;
  deadlineFloorMs: number;
  /** What models may need together; absent: no limit. One alone may need more. */
  memoryBytes?: number | undefined;
};

export type ModelWatchers = ModelRuns & {
  announce: Announce;
  onLoaded?: (loaded: { folder: string; computation: string; tookMs: number }) => void;
  /** A model has left the memory. */
  onUnloaded?: () => void;
};

type Open = (model: ModelFolder, settings: ModelSettings) => Promise<OpenedModel>;
type Entry = {
  loading: Promise<LoadedModel>;
  users: number;
  bytes: number;
  lastUse: number;
  idleTimer?: NodeJS.Timeout;
};

/** Loading reads and optimises all weights; the first time it compiles them, and may judge them. */
const LOAD_FLOOR_MS = 600_000;

/**
 * The models in memory: each loaded once, on first use, kept while used and for a while after. Where the memory that they
 * may need is used up, unused ones leave, the least recently used first; whoever finds no room even so waits in line.
 */
export class LoadedModels {
  readonly #settings: ModelSettings;
  readonly #limits: ModelLimits;
  readonly #watchers: ModelWatchers;
  readonly #open: Open;
  readonly #entries = new Map<string, Entry>();
  /** Those who wait for room, and the one whose turn it is. */
  #line: Promise<unknown> = Promise.resolve();
  #wake: (() => void) | undefined;
  #uses = 0;

  constructor(settings: ModelSettings, limits: ModelLimits, watchers: ModelWatchers, open: Open = openWhisperModel) {
    this.#settings = settings;
    this.#limits = limits;
    this.#watchers = watchers;
    this.#open = open;
  }

  /** The model of a folder, loaded where it is not; release it after use. Throws `model_unavailable`, `invalid_model`. */
  async hold(folder: string, key: string, signal?: AbortSignal): Promise<HeldModel> {
    signal?.throwIfAborted();
    const known = this.#entries.get(folder);
    const entry = known ?? (await this.#inLine(() => this.#begin(folder, key, signal)));
    entry.users++;
    entry.lastUse = ++this.#uses;
    clearTimeout(entry.idleTimer);
    try {
      const loaded = await entry.loading;
      let released = false;
      const release = () => {
        if (!released) this.#letGo(folder, entry);
        released = true;
      };
      return { ...loaded, release };
    } catch (error) {
      entry.users--;
      // A folder may be complete the next time.
      if (this.#entries.get(folder) === entry) this.#entries.delete(folder);
      this.#wake?.();
      throw error;
    }
  }

  /** One after the other: of two that want room, the first has it first. */
  #inLine<Result>(act: () => Promise<Result>): Promise<Result> {
    const turn = this.#line.then(act);
    this.#line = turn.catch(() => {});
    return turn;
  }

  async #begin(folder: string, key: string, signal: AbortSignal | undefined): Promise<Entry> {
    signal?.throwIfAborted();
    const before = this.#entries.get(folder);
    if (before) return before;
    const model = await readModelFolder(folder);
    const bytes = await bytesOfWeights(folder);
    await this.#makeRoom(bytes, signal);
    const entry = { loading: this.#load(model, bytes, key), users: 0, bytes, lastUse: 0 };
    // Whoever holds it is told; nobody else has to care.
    entry.loading.catch(() => {});
    this.#entries.set(folder, entry);
    return entry;
  }

  async #makeRoom(bytes: number, signal: AbortSignal | undefined) {
    const { memoryBytes } = this.#limits;
    if (memoryBytes === undefined) return;
    for (;;) {
      const held = [...this.#entries].reduce((sum, [, entry]) => sum + entry.bytes, 0);
      if (held === 0 || held + bytes <= memoryBytes) return;
      const unused = [...this.#entries].filter(([, { users }]) => users === 0);
      const [oldest] = unused.sort(([, a], [, b]) => a.lastUse - b.lastUse);
      if (oldest) await this.#unload(...oldest);
      else await this.#released(signal);
    }
  }

  /** Until a model is let go. */
  #released(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        signal?.removeEventListener("abort", end);
        this.#wake = undefined;
        if (signal?.aborted) reject(signal.reason);
        else resolve();
      };
      this.#wake = end;
      signal?.addEventListener("abort", end, { once: true });
      if (signal?.aborted) end();
    });
  }

  async #load(model: ModelFolder, weightBytes: number, key: string): Promise<LoadedModel> {
    const { announce, onLoaded } = this.#watchers;
    const begun = performance.now();
    const floorMs = this.#limits.deadlineFloorMs;
    const load = new RunTimes(Math.max(LOAD_FLOOR_MS, floorMs), weightBytes);
    const open = async (settings: ModelSettings): Promise<OpenedModel> => {
      const loaded = announce("load", load.deadlineMs("load"), shared?.current || key);
      try {
        const { network, computation } = await this.#open(model, settings);
        const times = new RunTimes(floorMs, weightBytes);
        return { computation, network: announceRuns(network, times, announce, () => shared?.current ?? key) };
      } finally {
        loaded();
      }
    };
    let shared: SharedModel | undefined;
    const network = new ModelWithFallback(model, await open(this.#settings), async (from, error) => {
      const executionProviders = providersAfter(from, this.#settings.executionProviders);
      if (executionProviders.length === 0) throw error;
      const next = await open({ ...this.#settings, executionProviders });
      const { provider: to } = next.computation;
      this.#settings.onFallback?.({ from, to, when: "run", reason: error.message });
      return next;
    });
    shared = new SharedModel(network, this.#watchers);
    const { computation } = network;
    onLoaded?.({ folder: model.folder, computation, tookMs: Math.round(performance.now() - begun) });
    return {
      ...{ model, shared, features: ownFeatures(network, model) },
      ...{ computation: () => network.computation, close: () => network.close() },
    };
  }

  #letGo(folder: string, entry: Entry) {
    entry.users--;
    if (entry.users > 0) return;
    entry.idleTimer = setTimeout(() => void this.#unload(folder, entry), this.#limits.idleMs);
    entry.idleTimer.unref();
    this.#wake?.();
  }

  async #unload(folder: string, entry: Entry) {
    clearTimeout(entry.idleTimer);
    this.#entries.delete(folder);
    await entry.loading.then((loaded) => loaded.close()).catch(() => {});
    this.#watchers.onUnloaded?.();
  }
}

function ownFeatures(network: WhisperModel, { windowSamples }: ModelFolder): WindowFeatures | undefined {
  const features = network.features?.bind(network);
  if (!features) return undefined;
  return async (samples) => {
    const whole = padded(samples, windowSamples);
    const mel = await features(whole, 1);
    freeMemory(whole);
    return mel;
  };
}

function padded(samples: Float32Array, length: number): Float32Array {
  const all = new Float32Array(length);
  all.set(samples.length > length ? samples.subarray(0, length) : samples);
  return all;
}

/** What a model's weights need, in whatever form: the largest of its forms. */
async function bytesOfWeights(folder: string): Promise<number> {
  const forms = { safetensors: /\.safetensors$/, onnx: /(encoder_model|decoder_model_merged)\.onnx(_data)?$/ };
  const names = await readdir(folder, { recursive: true });
  const sums = Object.values(forms).map(async (form) => {
    const sizes = names.filter((name) => form.test(name)).map(async (name) => (await stat(join(folder, name))).size);
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  });
  return Math.max(...(await Promise.all(sums)));
}
