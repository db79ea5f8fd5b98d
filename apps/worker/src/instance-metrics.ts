import { type Database, type InstanceState, readInstanceState } from "@scribe/database";
import { collectTogether, counter, gauge, type Logger, type Registry } from "@scribe/telemetry";

export interface InstanceMetricsOptions {
  db: Database;
  log: Logger;
  /** Slots of one worker, as this worker knows them from the configuration that all share. */
  slots: number;
  targetWaitSeconds: number;
}

/** Where no job says how fast a slot is: slower than any GPU, so that the first burst brings workers. */
export const ASSUMED_SLOT_SPEED = 5;

const READ_LIMIT_MS = 5_000;

/**
 * What is true of the instance as a whole, read from Postgres at each scrape. Where Postgres does not answer, nothing is
 * shown: absent is not 0.
 */
export function showInstance(registry: Registry, options: InstanceMetricsOptions): void {
  const { db, log, slots, targetWaitSeconds } = options;
  const look = collectTogether(async () => {
    const state = await withinLimit(readInstanceState(db)).catch((err: unknown) => {
      log.warn({ err }, "the instance's state could not be read");
      return null;
    });
    for (const metric of [jobs, ended, depth, oldest, backlog, workers]) metric.reset();
    // Without labels, reset means 0; these must be absent.
    for (const metric of [speed, stored, target]) metric.remove();
    if (state !== null) show(state);
  });
  const jobs = gauge(registry, "scribe_jobs", look);
  const ended = counter(registry, "scribe_jobs_ended_total", look);
  const depth = gauge(registry, "scribe_queue_depth", look);
  const oldest = gauge(registry, "scribe_queue_oldest_waiting_seconds", look);
  const backlog = gauge(registry, "scribe_backlog_audio_seconds", look);
  const speed = gauge(registry, "scribe_worker_speed", look);
  const workers = gauge(registry, "scribe_workers", look);
  const stored = gauge(registry, "scribe_storage_bytes", look);
  const target = gauge(registry, "scribe_target_wait_seconds", look);

  function show(state: InstanceState): void {
    jobs.set({ status: "pending" }, state.pending);
    jobs.set({ status: "processing" }, state.processing);
    for (const [outcome, count] of Object.entries(state.ended)) ended.inc({ outcome }, count);
    for (const { queue, depth: rows, oldestSeconds } of state.queues) {
      depth.set({ queue }, rows);
      oldest.set({ queue }, Math.max(0, oldestSeconds));
    }
    // Scaling asks for a number: no backlog is 0, not nothing.
    if (state.backlog.length === 0) backlog.set({ model: "", priority: "normal" }, 0);
    for (const { model, priority, audioSeconds } of state.backlog) backlog.set({ model, priority }, audioSeconds);
    for (const { role, count } of state.workers) workers.set({ role }, count);
    speed.set((state.slotSpeed ?? ASSUMED_SLOT_SPEED) * slots);
    stored.set(state.storedBytes);
    target.set(targetWaitSeconds);
  }
}

async function withinLimit<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("Postgres does not answer in time")), READ_LIMIT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
