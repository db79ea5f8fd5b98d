import { freeMemory } from "../../sessions/free-memory.ts";
import type { SampleSource } from "../turns.ts";
import { WINDOW_SAMPLES } from "./frames.ts";
import type { SpeakerEmbedder, Trunk } from "./speaker-embedder.ts";

/**
 * The trunk over a whole recording, run once over blocks that follow each other, and given out by windows: for windows
 * that overlap much, a fraction of the work. Blocks behind the present window are forgotten.
 */
export class JoinedTrunks {
  readonly #embedder: Pick<SpeakerEmbedder, "listen">;
  readonly #source: SampleSource;
  readonly #blocks = new Map<number, Promise<Trunk>>();
  readonly #samples = new Float32Array(WINDOW_SAMPLES);
  #joined = new Float32Array(0);

  constructor(embedder: Pick<SpeakerEmbedder, "listen">, source: SampleSource) {
    this.#embedder = embedder;
    this.#source = source;
  }

  /** Of the window that begins at sample `start`; windows are asked for in order, each lasts until the next. */
  async window(start: number): Promise<Trunk> {
    const first = Math.floor(start / WINDOW_SAMPLES);
    for (const [block, trunk] of this.#blocks) {
      if (block >= first) continue;
      this.#blocks.delete(block);
      freeMemory((await trunk).values);
    }
    const left = await this.#block(first);
    const skipped = Math.round(((start - first * WINDOW_SAMPLES) / WINDOW_SAMPLES) * left.frames);
    if (skipped === 0) return left;
    const right = await this.#block(first + 1);
    const { channels, frames } = left;
    if (this.#joined.length !== channels * frames) this.#joined = new Float32Array(channels * frames);
    const values = this.#joined;
    for (let c = 0; c < channels; c++) {
      values.set(left.values.subarray(c * frames + skipped, (c + 1) * frames), c * frames);
      values.set(right.values.subarray(c * frames, c * frames + skipped), (c + 1) * frames - skipped);
    }
    return { values, channels, frames };
  }

  #block(index: number): Promise<Trunk> {
    const known = this.#blocks.get(index);
    if (known) return known;
    const listening = this.#listen(index);
    this.#blocks.set(index, listening);
    return listening;
  }

  async #listen(index: number): Promise<Trunk> {
    const samples = this.#samples.fill(0);
    await this.#source.read(index * WINDOW_SAMPLES, WINDOW_SAMPLES, samples);
    return await this.#embedder.listen(index * WINDOW_SAMPLES, samples);
  }
}
