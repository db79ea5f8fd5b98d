import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ModelFolder, readModelFolder } from "../model/read-model-folder.ts";
import type { SessionSettings } from "../sessions/open-session.ts";
import { openWhisperModel } from "../sessions/open-whisper-model.ts";
import type { WhisperModel } from "../sessions/whisper-model.ts";
import { type Announce, RunTimes } from "./announce-runs.ts";

export type LoadedModel = { model: ModelFolder; network: WhisperModel; times: RunTimes };
export type HeldModel = LoadedModel & { release(): void };

type Entry = { loading: Promise<LoadedModel>; users: number; idleTimer?: NodeJS.Timeout };

/** Loading reads and optimises all weights. */
const LOAD_FLOOR_MS = 120_000;

/** The models in memory: each loaded once, on first use, kept while used and for a while after. */
export class LoadedModels {
  readonly #settings: SessionSettings;
  readonly #idleMs: number;
  readonly #deadlineFloorMs: number;
  readonly #entries = new Map<string, Entry>();

  constructor(settings: SessionSettings, limits: { idleMs: number; deadlineFloorMs: number }) {
    this.#settings = settings;
    this.#idleMs = limits.idleMs;
    this.#deadlineFloorMs = limits.deadlineFloorMs;
  }

  /** The model of a folder, loaded where it is not; release it after use. Throws `model_unavailable`, `invalid_model`. */
  async hold(folder: string, announce: Announce): Promise<HeldModel> {
    let entry = this.#entries.get(folder);
    if (!entry) {
      entry = { loading: this.#load(folder, announce), users: 0 };
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

  async #load(folder: string, announce: Announce): Promise<LoadedModel> {
    const model = await readModelFolder(folder);
    const weightBytes = await bytesOfWeights(folder);
    announce("load", new RunTimes(Math.max(LOAD_FLOOR_MS, this.#deadlineFloorMs), weightBytes).deadlineMs("load"));
    const network = await openWhisperModel(model, this.#settings);
    return { model, network, times: new RunTimes(this.#deadlineFloorMs, weightBytes) };
  }

  #letGo(folder: string, entry: Entry) {
    entry.users--;
    if (entry.users > 0) return;
    entry.idleTimer = setTimeout(() => {
      this.#entries.delete(folder);
      entry.loading.then(({ network }) => network.close()).catch(() => {});
    }, this.#idleMs);
    entry.idleTimer.unref();
  }
}

async function bytesOfWeights(folder: string): Promise<number> {
  const names = (await readdir(folder, { recursive: true })).filter((name) =>
    /\.(onnx|onnx_data|safetensors)$/.test(name),
  );
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return Math.max(0, ...sizes);
}
