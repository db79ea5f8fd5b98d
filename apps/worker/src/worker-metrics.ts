import { counter, gauge, histogram, type Registry } from "@scribe/telemetry";

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;

/** Everything that a worker counts; `docs/metrics.md` says what each is. */
export function createWorkerMetrics(registry: Registry) {
  return {
    jobsRunning: gauge(registry, "scribe_worker_jobs_running"),
    slots: gauge(registry, "scribe_worker_slots"),
    attempts: counter(registry, "scribe_worker_attempts_total"),
    refusedWrites: counter(registry, "scribe_worker_refused_writes_total"),
    stepSeconds: histogram(registry, "scribe_worker_step_seconds"),
    cacheLookups: counter(registry, "scribe_worker_cache_lookups_total"),
    audioSeconds: counter(registry, "scribe_worker_audio_seconds_total"),
    deliveries: counter(registry, "scribe_worker_deliveries_total"),
    deliveryAgeSeconds: histogram(registry, "scribe_worker_delivery_age_seconds"),
    enhancements: counter(registry, "scribe_worker_enhancements_total"),
    enhancementSeconds: histogram(registry, "scribe_worker_enhancement_seconds"),
    enhancementQuestions: counter(registry, "scribe_worker_enhancement_questions_total"),
    enhancementTokens: counter(registry, "scribe_worker_enhancement_tokens_total"),
    repairs: counter(registry, "scribe_dispatcher_repairs_total"),
  };
}
