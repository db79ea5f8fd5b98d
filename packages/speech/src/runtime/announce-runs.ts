import type { DecoderBatch } from "../sessions/decoder-batch.ts";
import type { WhisperModel } from "../sessions/whisper-model.ts";

type Tell = (operation: string, deadlineMs: number, key: string) => void;

/** Tells that a run is under way for the request `key`, and how long it may take. What it returns is called at its end. */
export type Announce = (...told: Parameters<Tell>) => () => void;

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

/**
 * Passes announcements on where the operation changes or the last one is old; their deadlines cover the time between. Who
 * listens knows one deadline, that of the run under way which may take longest: a short one beside it does not end the
 * patience with it.
 */
export function announceTo(tell: Tell, now: () => number = () => performance.now()): Announce {
  const underWay = new Set<{ untilMs: number }>();
  let last: { operation: string; key: string; at: number } | undefined;
  return (operation, deadlineMs, key) => {
    const at = now();
    const run = { untilMs: at + deadlineMs };
    underWay.add(run);
    if (!last || last.operation !== operation || last.key !== key || at - last.at >= INTERVAL_MS) {
      last = { operation, key, at };
      const untilMs = Math.max(...[...underWay].map((each) => each.untilMs));
      tell(operation, Math.ceil(untilMs - at) + INTERVAL_MS, key);
    }
    return () => underWay.delete(run);
  };
}

type Watched = <Result>(operation: string, run: () => Promise<Result>) => Promise<Result>;

function announceBatch(batch: DecoderBatch, watched: Watched): DecoderBatch {
  const advance = batch.advance?.bind(batch);
  const decodeWhole = batch.decodeWhole?.bind(batch);
  return {
    get rows() {
      return batch.rows;
    },
    join: (joining) => watched("decode", () => batch.join(joining)),
    begin: (row, token) => batch.begin(row, token),
    step: () => watched("decode", () => batch.step()),
    ...(advance && { advance: (rounds) => watched("decode", () => advance(rounds)) }),
    ...(decodeWhole && { decodeWhole: (windows) => watched("decode whole windows", () => decodeWhole(windows)) }),
    leave: (row) => batch.leave(row),
    reorder: (from) => batch.reorder(from),
  };
}

/** The same model, announcing each of its runs before it begins; `current` says for whom it runs. */
export function announceRuns(
  model: WhisperModel,
  times: RunTimes,
  announce: Announce,
  current: () => string,
): WhisperModel {
  const watched: Watched = async (operation, run) => {
    const ended = announce(operation, times.deadlineMs(operation), current());
    try {
      const startedAt = performance.now();
      const result = await run();
      times.observe(operation, performance.now() - startedAt);
      return result;
    } finally {
      ended();
    }
  };
  const features = model.features?.bind(model);
  return {
    get maxBatch() {
      return model.maxBatch;
    },
    get canAlign() {
      return model.canAlign;
    },
    ...(features && { features: (...args) => watched("features", () => features(...args)) }),
    encode: (mel, batch) => watched("encode", () => model.encode(mel, batch)),
    prefill: (...args) => watched("decode", () => model.prefill(...args)),
    step: (state, tokens) => watched("decode", () => model.step(state, tokens)),
    newBatch: () => announceBatch(model.newBatch(), watched),
    align: (...args) => watched("align", () => model.align(...args)),
    close: () => model.close(),
  };
}
