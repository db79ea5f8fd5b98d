import { Counter, Gauge, Histogram, type Registry } from "@scribe/telemetry";

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;

/** Everything that a worker counts. */
export function createWorkerMetrics(registry: Registry) {
  const registers = [registry];
  return {
    jobsRunning: new Gauge({ name: "scribe_worker_jobs_running", help: "Jobs that this worker holds", registers }),
    attempts: new Counter({
      name: "scribe_worker_attempts_total",
      help: "Attempts that ended, by how",
      labelNames: ["outcome"] as const,
      registers,
    }),
    refusedWrites: new Counter({
      name: "scribe_worker_refused_writes_total",
      help: "Writes that the fence refused because the lease was lost",
      registers,
    }),
    stepSeconds: new Histogram({
      name: "scribe_worker_step_seconds",
      help: "Time that a step of a job took",
      labelNames: ["step"] as const,
      buckets: [0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 1800, 7200],
      registers,
    }),
    audioSeconds: new Counter({
      name: "scribe_worker_audio_seconds_total",
      help: "Audio that was transcribed, in seconds",
      registers,
    }),
    deliveries: new Counter({
      name: "scribe_worker_deliveries_total",
      help: "Tries of webhook deliveries, by how they ended",
      labelNames: ["outcome"] as const,
      registers,
    }),
  };
}
