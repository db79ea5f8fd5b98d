/** What one metric is. `of` says which processes have it, `steady` why it may stay the same while the service works. */
export interface MetricDefinition {
  type: "counter" | "gauge" | "histogram";
  of: "api" | "worker" | "maintenance" | "every";
  help: string;
  labels: readonly string[];
  buckets?: readonly number[];
  steady?: string;
}

const WAITS = [0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 28_800, 86_400] as const;

/**
 * Every metric that a process of ours may show: the processes make their metrics from this, and `docs/metrics.md` is
 * generated from it. Names hold to Prometheus' conventions (base units, `_total` for counters); no label's values grow
 * with the number of tenants, jobs or addresses.
 */
export const METRICS = {
  scribe_http_request_duration_seconds: {
    type: "histogram",
    of: "api",
    help: "Time from a request's head to the end of its answer; event streams are left out.",
    labels: ["method", "route", "status"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
  },
  scribe_http_limited_requests_total: {
    type: "counter",
    of: "api",
    help: "Requests that were refused with 429, by the problem's code.",
    labels: ["code"],
  },
  scribe_http_uncounted_requests_total: {
    type: "counter",
    of: "api",
    help: "Requests that the store of rate limits could not count in time, by who sent them.",
    labels: ["caller"],
    steady: "moves only while the store of rate limits is away",
  },
  scribe_logins_total: {
    type: "counter",
    of: "api",
    help: "Tries to log in, by outcome: succeeded, failed, locked.",
    labels: ["outcome"],
    steady: "moves only where accounts are on",
  },
  scribe_jobs_accepted_total: {
    type: "counter",
    of: "api",
    help: "Jobs that were committed, by where their audio comes from.",
    labels: ["source"],
  },
  scribe_uploaded_bytes_total: { type: "counter", of: "api", help: "Bytes of stored uploads.", labels: [] },
  scribe_event_streams: { type: "gauge", of: "api", help: "Event streams that are open.", labels: [] },
  scribe_event_streams_dropped_total: {
    type: "counter",
    of: "api",
    help: "Event streams that we ended before their job did, by why.",
    labels: ["reason"],
    steady: "moves only where a reader is too slow or the stream's source fails",
  },
  scribe_worker_jobs_running: { type: "gauge", of: "worker", help: "Jobs that this worker holds.", labels: [] },
  scribe_worker_slots: {
    type: "gauge",
    of: "worker",
    help: "Jobs that this worker can hold.",
    labels: [],
    steady: "configuration",
  },
  scribe_worker_attempts_total: {
    type: "counter",
    of: "worker",
    help: "Attempts that ended, by how: completed, retry, failed, handed_back, dropped.",
    labels: ["outcome"],
  },
  scribe_worker_refused_writes_total: {
    type: "counter",
    of: "worker",
    help: "Attempts whose writes the fence refused, because the lease was lost.",
    labels: [],
  },
  scribe_worker_step_seconds: {
    type: "histogram",
    of: "worker",
    help: "Time that a step of a job took: fetch, decode, transcribe, diarize, commit.",
    labels: ["step"],
    buckets: [0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 1800, 7200],
  },
  scribe_worker_cache_lookups_total: {
    type: "counter",
    of: "worker",
    help: "Jobs that looked for an earlier result of equal audio and options, by what they found: hit, miss.",
    labels: ["result"],
  },
  scribe_worker_audio_seconds_total: {
    type: "counter",
    of: "worker",
    help: "Audio that was transcribed, in seconds.",
    labels: [],
  },
  scribe_worker_deliveries_total: {
    type: "counter",
    of: "worker",
    help: "Tries of webhook deliveries, by how they ended: delivered, retry, failed, skipped, gone.",
    labels: ["outcome"],
  },
  scribe_worker_delivery_age_seconds: {
    type: "histogram",
    of: "worker",
    help: "Age of a webhook's event when a try of it ended, by how the try ended.",
    labels: ["outcome"],
    buckets: WAITS,
  },
  scribe_worker_enhancements_total: {
    type: "counter",
    of: "worker",
    help: "Attempts of enhancements that ended, by how: completed, retry, failed, handed_back, dropped.",
    labels: ["outcome"],
    steady: "moves only where enhancements are asked for",
  },
  scribe_worker_enhancement_seconds: {
    type: "histogram",
    of: "worker",
    help: "Time that an attempt of an enhancement took, by how it ended.",
    labels: ["outcome"],
    buckets: [0.25, 1, 5, 15, 60, 300, 1800, 7200],
    steady: "moves only where enhancements are asked for",
  },
  scribe_worker_enhancement_questions_total: {
    type: "counter",
    of: "worker",
    help: "Questions that a language model answered as it should, a refused answer and its repetition counted as one.",
    labels: [],
    steady: "moves only where enhancements are asked for",
  },
  scribe_worker_enhancement_tokens_total: {
    type: "counter",
    of: "worker",
    help: "Tokens that a language model used, as it says, by kind: prompt, completion.",
    labels: ["kind"],
    steady: "moves only where enhancements are asked for",
  },
  scribe_worker_models_loaded: {
    type: "gauge",
    of: "worker",
    help: "1 for each model that is in this worker's memory.",
    labels: ["model"],
  },
  scribe_worker_model_loads_total: {
    type: "counter",
    of: "worker",
    help: "Times that a model came into this worker's memory.",
    labels: ["model"],
  },
  scribe_worker_batch_occupancy: {
    type: "histogram",
    of: "worker",
    help: "Runs of decoding, by the share of the rows of a batch that were used.",
    labels: [],
    buckets: [0.125, 0.25, 0.5, 0.75, 0.875, 1],
  },
  scribe_worker_speech_starts_total: {
    type: "counter",
    of: "worker",
    help: "Starts of the speech process; the first, and one after each end.",
    labels: [],
  },
  scribe_worker_speech_deaths_total: {
    type: "counter",
    of: "worker",
    help: "Ends of the speech process while it had work.",
    labels: [],
    steady: "moves only where the speech process dies",
  },
  scribe_worker_provider_fallbacks_total: {
    type: "counter",
    of: "worker",
    help: "Times that an execution provider failed and another one ran the model, by when: start, run.",
    labels: ["from", "to", "when"],
    steady: "moves only where a provider that comes first does not work",
  },
  scribe_worker_speech_resident_memory_bytes: {
    type: "gauge",
    of: "worker",
    help: "Resident memory of the speech process, models included; 0 where there is none.",
    labels: [],
  },
  scribe_worker_gpu_memory_used_bytes: {
    type: "gauge",
    of: "worker",
    help: "Memory of a GPU that is in use, as nvidia-smi says.",
    labels: ["gpu"],
  },
  scribe_worker_gpu_memory_bytes: {
    type: "gauge",
    of: "worker",
    help: "Memory that a GPU has, as nvidia-smi says.",
    labels: ["gpu"],
    steady: "the size of a GPU",
  },
  scribe_worker_gpu_utilization_ratio: {
    type: "gauge",
    of: "worker",
    help: "How much of the last second a GPU computed, 0 to 1, as nvidia-smi says.",
    labels: ["gpu"],
  },
  scribe_jobs: {
    type: "gauge",
    of: "maintenance",
    help: "Jobs that have not ended, by status: pending, processing.",
    labels: ["status"],
  },
  scribe_jobs_ended_total: {
    type: "counter",
    of: "maintenance",
    help: "Jobs of the whole instance that ended, by outcome: completed, failed, cancelled. Read from Postgres.",
    labels: ["outcome"],
  },
  scribe_queue_depth: {
    type: "gauge",
    of: "maintenance",
    help: "Rows that are due and that no worker has taken, by queue: transcription, webhooks, enhancement.",
    labels: ["queue"],
  },
  scribe_queue_oldest_waiting_seconds: {
    type: "gauge",
    of: "maintenance",
    help: "For how long the oldest of them has been due; 0 where none waits.",
    labels: ["queue"],
  },
  scribe_backlog_audio_seconds: {
    type: "gauge",
    of: "maintenance",
    help: "Audio of pending jobs, and the unfinished rest of those that are processed, by model and priority.",
    labels: ["model", "priority"],
  },
  scribe_worker_speed: {
    type: "gauge",
    of: "maintenance",
    help: "Audio seconds that one worker with all its slots does in a second, over the last 100 jobs of a day.",
    labels: [],
  },
  scribe_workers: {
    type: "gauge",
    of: "maintenance",
    help: "Workers that were seen in the last 30 seconds, by role.",
    labels: ["role"],
    steady: "moves only when workers come and go",
  },
  scribe_target_wait_seconds: {
    type: "gauge",
    of: "maintenance",
    help: "TARGET_WAIT_SECONDS: how long audio may wait; scaling divides by it.",
    labels: [],
    steady: "configuration",
  },
  scribe_storage_bytes: {
    type: "gauge",
    of: "maintenance",
    help: "Bytes of the audio that jobs hold in the storage, as Postgres knows them.",
    labels: [],
  },
  scribe_dispatcher_repairs_total: {
    type: "counter",
    of: "every",
    help: "Messages that were gone from the queue and were sent again by the sweep, by queue.",
    labels: ["queue"],
  },
  scribe_dependency_up: {
    type: "gauge",
    of: "every",
    help: "1 where Postgres, or the queue's backend, answered within two seconds of the scrape, else 0.",
    labels: ["dependency"],
    steady: "moves only when a dependency goes away",
  },
  scribe_disk_free_bytes: {
    type: "gauge",
    of: "every",
    help: "Free space of the file system that a folder of ours lies on: data, audio.",
    labels: ["folder"],
  },
  scribe_disk_bytes: {
    type: "gauge",
    of: "every",
    help: "Size of the file system that a folder of ours lies on: data, audio.",
    labels: ["folder"],
    steady: "the size of a disk",
  },
  scribe_build_info: {
    type: "gauge",
    of: "every",
    help: "1, with the version that runs.",
    labels: ["version"],
    steady: "the version",
  },
  process_start_time_seconds: {
    type: "gauge",
    of: "every",
    help: "Start time of the process since unix epoch in seconds.",
    labels: [],
    steady: "the start of the process",
  },
  process_resident_memory_bytes: { type: "gauge", of: "every", help: "Resident memory size in bytes.", labels: [] },
  process_open_fds: { type: "gauge", of: "every", help: "Number of open file descriptors.", labels: [] },
  process_cpu_seconds_total: {
    type: "counter",
    of: "every",
    help: "User and system CPU time spent in seconds.",
    labels: [],
  },
  nodejs_eventloop_lag_seconds: { type: "gauge", of: "every", help: "Lag of event loop in seconds.", labels: [] },
  nodejs_eventloop_lag_p99_seconds: {
    type: "gauge",
    of: "every",
    help: "The 99th percentile of the recorded event loop delays.",
    labels: [],
  },
  nodejs_heap_size_used_bytes: {
    type: "gauge",
    of: "every",
    help: "Heap in use by JavaScript, in bytes.",
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;
export type NamesOf<T extends MetricDefinition["type"]> = {
  [N in MetricName]: (typeof METRICS)[N]["type"] extends T ? N : never;
}[MetricName];
export type LabelsOf<N extends MetricName> = (typeof METRICS)[N]["labels"][number];
