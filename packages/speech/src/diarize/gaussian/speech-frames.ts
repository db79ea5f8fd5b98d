import { CEPSTRA, CepstrumAnalysis } from "../features/cepstra.ts";
import { samplesOfFrames } from "../features/kaldi-filterbank.ts";
import type { SampleSource, Span } from "../turns.ts";

const FRAMES_PER_SECOND = 100;
const SHIFT_SAMPLES = 160;
/** The cepstra of recordings up to this long are kept from one reading to the next. */
const KEPT_CHUNKS = 3;

/** Frames that are computed from one reading of samples. */
const FRAMES_AT_ONCE = 1000;

/** Frames of one stretch of speech: `count` of them from frame `start` of the recording, at `offset` of its chunk. */
export type Run = { start: number; count: number; offset: number };
/** What is looked at together; `first` is the number of its first frame among all speech frames. */
export type Chunk = { first: number; frames: number; runs: Run[] };

/** The cepstra of a recording's speech, by chunks: memory does not grow with its length. */
export class SpeechFrames {
  readonly chunks: Chunk[];
  readonly count: number;
  readonly #source: SampleSource;
  readonly #analysis = new CepstrumAnalysis();
  readonly #kept = new Map<Chunk, Float32Array>();
  readonly #samples = new Float32Array(samplesOfFrames(FRAMES_AT_ONCE));
  #cepstra = new Float32Array(0);

  constructor(source: SampleSource, speech: readonly Span[], chunkSeconds: number) {
    this.#source = source;
    this.chunks = cutIntoChunks(source, speech, chunkSeconds * FRAMES_PER_SECOND);
    const last = this.chunks.at(-1);
    this.count = last ? last.first + last.frames : 0;
  }

  /** `[chunk.frames, CEPSTRA]`; in long recordings it lasts until the next is read. */
  async read(chunk: Chunk): Promise<Float32Array> {
    const kept = this.#kept.get(chunk);
    if (kept) return kept;
    const keeps = this.chunks.length <= KEPT_CHUNKS;
    const size = chunk.frames * CEPSTRA;
    if (keeps || this.#cepstra.length < size) this.#cepstra = new Float32Array(size);
    const cepstra = this.#cepstra.subarray(0, size);
    for (const { start, count, offset } of chunk.runs) {
      for (let done = 0; done < count; done += FRAMES_AT_ONCE) {
        const frames = Math.min(FRAMES_AT_ONCE, count - done);
        const first = (start + done) * SHIFT_SAMPLES;
        const samples = await this.#source.read(first, samplesOfFrames(frames), this.#samples);
        this.#analysis.compute(samples, cepstra.subarray((offset + done) * CEPSTRA));
      }
    }
    if (keeps) this.#kept.set(chunk, cepstra);
    return cepstra;
  }
}

function cutIntoChunks({ sampleCount }: SampleSource, speech: readonly Span[], chunkFrames: number): Chunk[] {
  const available =
    sampleCount < samplesOfFrames(1) ? 0 : Math.floor((sampleCount - samplesOfFrames(1)) / SHIFT_SAMPLES) + 1;
  const chunks: Chunk[] = [];
  let chunk: Chunk = { first: 0, frames: 0, runs: [] };
  let end = 0;
  for (const span of speech) {
    let start = Math.max(end, Math.round(span.start * FRAMES_PER_SECOND));
    end = Math.max(end, Math.min(available, Math.round(span.end * FRAMES_PER_SECOND)));
    while (start < end) {
      if (chunk.frames === chunkFrames) chunk = { first: chunk.first + chunk.frames, frames: 0, runs: [] };
      if (chunk.frames === 0) chunks.push(chunk);
      const count = Math.min(end - start, chunkFrames - chunk.frames);
      chunk.runs.push({ start, count, offset: chunk.frames });
      chunk.frames += count;
      start += count;
    }
  }
  return chunks;
}
