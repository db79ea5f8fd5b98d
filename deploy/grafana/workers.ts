import type { Dashboard } from "./render-dashboard.ts";
import { one, rate } from "./series.ts";

/** What waits, and how fast it is done. */
export const WORKERS: Dashboard = {
  uid: "scribe-workers",
  title: "Scribe: workers",
  panels: [
    {
      title: "Backlog",
      what: "Audio that waits or is unfinished",
      unit: "s",
      kind: "stat",
      series: one("sum(max by (model, priority) (scribe_backlog_audio_seconds))"),
    },
    {
      title: "Speed",
      what: "Audio seconds a second of one worker",
      unit: "short",
      kind: "stat",
      series: one("max(scribe_worker_speed)"),
    },
    {
      title: "Workers",
      what: "That transcribe",
      unit: "short",
      kind: "stat",
      series: one('max(scribe_workers{role="transcription"})'),
    },
    {
      title: "Slots in use",
      what: "Share of all",
      unit: "percentunit",
      kind: "stat",
      series: one("sum(scribe_worker_jobs_running) / sum(scribe_worker_slots)"),
    },
    {
      title: "Workers, wanted and there",
      what: "The formula that scaling uses",
      unit: "short",
      series: [...one("scribe:wanted_workers", "wanted"), ...one("max by (role) (scribe_workers)", "{{role}}")],
    },
    {
      title: "Backlog by model and priority",
      what: "Audio seconds",
      unit: "s",
      series: one("max by (model, priority) (scribe_backlog_audio_seconds)", "{{model}} {{priority}}"),
    },
    {
      title: "Wait",
      what: "Of the oldest, and the target",
      unit: "s",
      series: [
        ...one("max by (queue) (scribe_queue_oldest_waiting_seconds)", "{{queue}}"),
        ...one("max(scribe_target_wait_seconds)", "target"),
      ],
    },
    {
      title: "Due and not taken",
      what: "Rows by queue",
      unit: "short",
      series: one("max by (queue) (scribe_queue_depth)", "{{queue}}"),
    },
    {
      title: "Audio a second",
      what: "Of all workers together",
      unit: "short",
      series: one("sum(rate(scribe_worker_audio_seconds_total[$__rate_interval]))", "audio"),
    },
    { title: "Attempts", what: "By outcome", unit: "reqps", series: rate("scribe_worker_attempts_total", "outcome") },
    {
      title: "Steps",
      what: "Time in each",
      unit: "s",
      series: one(
        "histogram_quantile(0.95, sum by (le, step) (rate(scribe_worker_step_seconds_bucket[$__rate_interval])))",
        "p95 {{step}}",
      ),
    },
    {
      title: "Earlier results",
      what: "Jobs that looked for one of equal audio and options, by what they found",
      unit: "reqps",
      series: rate("scribe_worker_cache_lookups_total", "result"),
    },
    {
      title: "Repairs and fences",
      what: "Messages sent again, late writes refused",
      unit: "short",
      series: [
        ...one("sum by (queue) (increase(scribe_dispatcher_repairs_total[5m]))", "sent again: {{queue}}"),
        ...one("sum(increase(scribe_worker_refused_writes_total[5m]))", "refused writes"),
      ],
    },
    {
      title: "Speech process",
      what: "Starts and deaths",
      unit: "short",
      series: [
        ...one("sum by (instance) (increase(scribe_worker_speech_starts_total[5m]))", "starts {{instance}}"),
        ...one("sum by (instance) (increase(scribe_worker_speech_deaths_total[5m]))", "deaths {{instance}}"),
      ],
    },
    {
      title: "Provider fallbacks",
      what: "An execution provider failed, and another ran the model",
      unit: "short",
      series: one(
        "sum by (from, to, when) (increase(scribe_worker_provider_fallbacks_total[5m]))",
        "{{from}} to {{to}} at {{when}}",
      ),
    },
    {
      title: "Speech memory",
      what: "Resident, with models",
      unit: "bytes",
      series: one("scribe_worker_speech_resident_memory_bytes", "{{instance}}"),
    },
    {
      title: "Models",
      what: "Loaded, and loads",
      unit: "short",
      series: [
        ...one("sum by (model) (scribe_worker_models_loaded)", "{{model}}"),
        ...one("sum by (model) (increase(scribe_worker_model_loads_total[5m]))", "loads of {{model}}"),
      ],
    },
    {
      title: "Shared batches",
      what: "Share of a batch's rows that runs of decoding use",
      unit: "percentunit",
      series: one(
        "sum by (instance) (rate(scribe_worker_batch_occupancy_sum[5m])) / sum by (instance) (rate(scribe_worker_batch_occupancy_count[5m]))",
        "{{instance}}",
      ),
    },
    {
      title: "GPU use",
      what: "As nvidia-smi says",
      unit: "percentunit",
      series: one("scribe_worker_gpu_utilization_ratio", "{{instance}} {{gpu}}"),
    },
    {
      title: "GPU memory",
      what: "Used and there",
      unit: "bytes",
      series: [
        ...one("scribe_worker_gpu_memory_used_bytes", "{{instance}} {{gpu}}"),
        ...one("max(scribe_worker_gpu_memory_bytes)", "there"),
      ],
    },
    {
      title: "Versions",
      what: "Of what runs",
      unit: "short",
      series: one("count by (job, version) (scribe_build_info)", "{{job}} {{version}}"),
    },
  ],
};
