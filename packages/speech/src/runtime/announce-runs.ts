import type { WhisperModel } from "../sessions/whisper-model.ts";

/** Tells that a run is under way and how long it may take. */
export type Announce = (operation: string, deadlineMs: number) => void;

/** A run may take ten times what is expected before it is taken for stuck. */
const PATIENCE = 10;
/** Announcements of the same operation are this far apart at least: a decoding step takes milliseconds. */
const INTERVAL_MS = 1000;
/** What a run that was never timed is expected to need: its weights, read at this pace. */
const EXPECTED_BYTES_PER_MS = 50_000;

/** The times that runs of one model took, by operation, and the deadlines that follow from them. */
export class RunTimes {
  readonly #floorMs: number;
  readonly #expectedMs: number;
  readonly #observedMs = new Map<string, number>();

  /** `floorMs` is the least that any run is given; `weightBytes` the size of the model. */
  constructor(floorMs: number, weightBytes: number) {
    this.#floorMs = floorMs;
    this.#expectedMs = weightBytes / EXPECTED_BYTES_PER_MS;
  }

  deadlineMs(operation: string): number {
    const expected = this.#observedMs.get(operation) ?? this.#expectedMs;
    return Math.ceil(Math.max(this.#floorMs, PATIENCE * expected));
  }

  /** Slow runs are remembered for long, fast ones forgotten at once. */
  observe(operation: string, tookMs: number) {
    this.#observedMs.set(operation, Math.max(tookMs, 0.9 * (this.#observedMs.get(operation) ?? 0)));
  }
}

/** Passes announcements on where the operation changes or the last one is old; their deadlines cover the time between. */
export function spaceOut(announce: Announce, now: () => number = () => performance.now()): Announce {
  let last: { operation: string; at: number } | undefined;
  return (operation, deadlineMs) => {
    const at = now();
    if (last && last.operation === operation && at - last.at < INTERVAL_MS) return;
    last = { operation, at };
    announce(operation, deadlineMs + INTERVAL_MS);
  };
}

/** The same model, announcing each of its runs before it begins. */
export function announceRuns(model: WhisperModel, times: RunTimes, announce: Announce): WhisperModel {
  const watched = async <Result>(operation: string, run: () => Promise<Result>): Promise<Result> => {
    announce(operation, times.deadlineMs(operation));
    const startedAt = performance.now();
    const result = await run();
    times.observe(operation, performance.now() - startedAt);
    return result;
  };
  return {
    maxBatch: model.maxBatch,
    canAlign: model.canAlign,
    encode: (mel, batch) => watched("encode", () => model.encode(mel, batch)),
    prefill: (...args) => watched("decode", () => model.prefill(...args)),
    step: (state, tokens) => watched("decode", () => model.step(state, tokens)),
    align: (...args) => watched("align", () => model.align(...args)),
    close: () => model.close(),
  };
}
