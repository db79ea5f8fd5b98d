import type { Dashboard } from "./render-dashboard.ts";
import { one, quantiles, rate } from "./series.ts";

/** What callers notice, and what all processes stand on. */
export const SERVICE: Dashboard = {
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
      title: "Log-ins",
      what: "Tries by outcome, where accounts are on",
      unit: "reqps",
      series: rate("scribe_logins_total", "outcome"),
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
