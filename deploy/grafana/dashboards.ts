/** The dashboards, as `npm run generate` writes them beside this file. Import the JSON files; this one is their source. */

interface Series {
  expr: string;
  legend: string;
}

interface Panel {
  title: string;
  what: string;
  unit: "s" | "short" | "percentunit" | "bytes" | "reqps";
  series: Series[];
  kind?: "stat";
}

interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
}

const one = (expr: string, legend = ""): Series[] => [{ expr, legend }];
const quantiles = (metric: string, by = ""): Series[] =>
  [0.5, 0.95, 0.99].map((q) => ({
    expr: `histogram_quantile(${q}, sum by (le${by && `, ${by}`}) (rate(${metric}_bucket[$__rate_interval])))`,
    legend: `p${q * 100}${by && ` {{${by}}}`}`,
  }));
const rate = (metric: string, by: string): Series[] =>
  one(`sum by (${by}) (rate(${metric}[$__rate_interval]))`, `{{${by}}}`);

const SERVICE: Dashboard = {
  uid: "scribe-service",
  title: "Scribe: service",
  panels: [
    {
      title: "Waiting",
      what: "Jobs that no worker has taken",
      unit: "short",
      kind: "stat",
      series: one('max(scribe_jobs{status="pending"})'),
    },
    {
      title: "Oldest wait",
      what: "Against TARGET_WAIT_SECONDS",
      unit: "s",
      kind: "stat",
      series: one('max(scribe_queue_oldest_waiting_seconds{queue="transcription"})'),
    },
    {
      title: "Dependencies",
      what: "1 where all answer",
      unit: "short",
      kind: "stat",
      series: one("min by (dependency) (scribe_dependency_up)", "{{dependency}}"),
    },
    {
      title: "Errors",
      what: "Share of requests that end with 5xx",
      unit: "percentunit",
      kind: "stat",
      series: one(
        'sum(rate(scribe_http_request_duration_seconds_count{status=~"5.."}[5m])) / sum(rate(scribe_http_request_duration_seconds_count[5m]))',
      ),
    },
    {
      title: "Requests",
      what: "By status",
      unit: "reqps",
      series: rate("scribe_http_request_duration_seconds_count", "status"),
    },
    { title: "Latency", what: "Of all routes", unit: "s", series: quantiles("scribe_http_request_duration_seconds") },
    {
      title: "Slowest routes",
      what: "95th percentile",
      unit: "s",
      series: one(
        "topk(8, histogram_quantile(0.95, sum by (le, route) (rate(scribe_http_request_duration_seconds_bucket[$__rate_interval]))))",
        "{{route}}",
      ),
    },
    {
      title: "Accepted",
      what: "Jobs by where their audio comes from",
      unit: "reqps",
      series: rate("scribe_jobs_accepted_total", "source"),
    },
    {
      title: "Live jobs",
      what: "Of the whole instance",
      unit: "short",
      series: one("max by (status) (scribe_jobs)", "{{status}}"),
    },
    {
      title: "Ended",
      what: "By outcome",
      unit: "reqps",
      series: one("max by (outcome) (rate(scribe_jobs_ended_total[$__rate_interval]))", "{{outcome}}"),
    },
    {
      title: "Refused",
      what: "429 by code, and requests that could not be counted",
      unit: "reqps",
      series: [
        ...rate("scribe_http_limited_requests_total", "code"),
        ...rate("scribe_http_uncounted_requests_total", "caller"),
      ],
    },
    {
      title: "Event streams",
      what: "Open, and ended by us",
      unit: "short",
      series: [
        ...one("sum(scribe_event_streams)", "open"),
        ...one("sum by (reason) (increase(scribe_event_streams_dropped_total[5m]))", "dropped: {{reason}}"),
      ],
    },
    {
      title: "Uploads",
      what: "Bytes a second",
      unit: "bytes",
      series: one("sum(rate(scribe_uploaded_bytes_total[$__rate_interval]))", "uploaded"),
    },
    {
      title: "Stored audio",
      what: "As Postgres knows it",
      unit: "bytes",
      series: one("max(scribe_storage_bytes)", "audio"),
    },
    {
      title: "Disk left",
      what: "By process and folder",
      unit: "percentunit",
      series: one("min by (instance, folder) (scribe_disk_free_bytes / scribe_disk_bytes)", "{{instance}} {{folder}}"),
    },
    {
      title: "Event loop",
      what: "99th percentile of its lag",
      unit: "s",
      series: one("max by (job, instance) (nodejs_eventloop_lag_p99_seconds)", "{{instance}}"),
    },
    {
      title: "Memory",
      what: "Resident, by process",
      unit: "bytes",
      series: one("process_resident_memory_bytes", "{{instance}}"),
    },
    {
      title: "CPU",
      what: "Cores, by process",
      unit: "short",
      series: one("rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}}"),
    },
  ],
};

const WORKERS: Dashboard = {
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
      title: "Speech memory",
      what: "Resident, with models",
      unit: "bytes",
      series: one("scribe_worker_speech_resident_memory_bytes", "{{instance}}"),
    },
    {
      title: "Enhancements",
      what: "Attempts by outcome, and how long nine of ten took",
      unit: "short",
      series: [
        ...rate("scribe_worker_enhancements_total", "outcome"),
        ...one(
          "histogram_quantile(0.9, sum by (le, outcome) (rate(scribe_worker_enhancement_seconds_bucket[$__rate_interval])))",
          "p90 seconds {{outcome}}",
        ),
      ],
    },
    {
      title: "Language model",
      what: "Questions and tokens a second",
      unit: "short",
      series: [
        ...one("sum(rate(scribe_worker_enhancement_questions_total[$__rate_interval]))", "questions"),
        ...rate("scribe_worker_enhancement_tokens_total", "kind"),
      ],
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

const WEBHOOKS: Dashboard = {
  uid: "scribe-webhooks",
  title: "Scribe: webhooks",
  panels: [
    {
      title: "Due and not sent",
      what: "Deliveries",
      unit: "short",
      kind: "stat",
      series: one('max(scribe_queue_depth{queue="webhooks"})'),
    },
    {
      title: "Oldest due",
      what: "For how long",
      unit: "s",
      kind: "stat",
      series: one('max(scribe_queue_oldest_waiting_seconds{queue="webhooks"})'),
    },
    {
      title: "Success",
      what: "Share of tries that were delivered",
      unit: "percentunit",
      kind: "stat",
      series: one(
        'sum(rate(scribe_worker_deliveries_total{outcome="delivered"}[10m])) / sum(rate(scribe_worker_deliveries_total[10m]))',
      ),
    },
    {
      title: "Senders",
      what: "Live workers with the role",
      unit: "short",
      kind: "stat",
      series: one('max(scribe_workers{role="webhooks"})'),
    },
    { title: "Tries", what: "By outcome", unit: "reqps", series: rate("scribe_worker_deliveries_total", "outcome") },
    {
      title: "Age when delivered",
      what: "From the event to the receiver's 2xx",
      unit: "s",
      series: [0.5, 0.95, 0.99].map((q) => ({
        expr: `histogram_quantile(${q}, sum by (le) (rate(scribe_worker_delivery_age_seconds_bucket{outcome="delivered"}[$__rate_interval])))`,
        legend: `p${q * 100}`,
      })),
    },
    {
      title: "Age by outcome",
      what: "95th percentile",
      unit: "s",
      series: one(
        "histogram_quantile(0.95, sum by (le, outcome) (rate(scribe_worker_delivery_age_seconds_bucket[$__rate_interval])))",
        "{{outcome}}",
      ),
    },
    {
      title: "Wait",
      what: "Of the oldest that is due",
      unit: "s",
      series: one('max(scribe_queue_oldest_waiting_seconds{queue="webhooks"})', "oldest"),
    },
  ],
};

/** Text of each file of this folder, by its name. */
export function dashboardFiles(): Map<string, string> {
  return new Map(
    [SERVICE, WORKERS, WEBHOOKS].map((dashboard) => [
      `${dashboard.uid.replace("scribe-", "")}.json`,
      `${JSON.stringify(render(dashboard), null, 2)}\n`,
    ]),
  );
}

/** Four small ones in the first row, then two in each. */
function render({ uid, title, panels }: Dashboard) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills this in
  const datasource = { type: "prometheus", uid: "${datasource}" };
  let statX = 0;
  let graphs = 0;
  return {
    uid,
    title,
    tags: ["scribe"],
    schemaVersion: 39,
    editable: true,
    time: { from: "now-3h", to: "now" },
    refresh: "30s",
    templating: { list: [{ name: "datasource", type: "datasource", query: "prometheus", label: "Prometheus" }] },
    panels: panels.map(({ title: name, what, unit, series, kind }, index) => {
      const gridPos =
        kind === "stat"
          ? { x: 6 * statX++, y: 0, w: 6, h: 4 }
          : { x: 12 * (graphs % 2), y: 4 + 8 * Math.floor(graphs++ / 2), w: 12, h: 8 };
      return {
        id: index + 1,
        type: kind ?? "timeseries",
        title: name,
        description: what,
        gridPos,
        datasource,
        fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
        options: kind === "stat" ? { reduceOptions: { calcs: ["lastNotNull"] } } : { tooltip: { mode: "multi" } },
        targets: series.map(({ expr, legend }, n) => ({
          refId: String.fromCharCode(65 + n),
          datasource,
          expr,
          legendFormat: legend,
        })),
      };
    }),
  };
}
