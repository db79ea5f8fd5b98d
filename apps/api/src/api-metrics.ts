import { counter, createMetrics, gauge, histogram, type Registry } from "@scribe/telemetry";

export type ApiMetrics = ReturnType<typeof createApiMetrics>;

/** Everything that the API counts; `docs/metrics.md` says what each is. */
export function createApiMetrics(registry: Registry = createMetrics()) {
  return {
    registry,
    requestSeconds: histogram(registry, "scribe_http_request_duration_seconds"),
    limitedRequests: counter(registry, "scribe_http_limited_requests_total"),
    uncountedRequests: counter(registry, "scribe_http_uncounted_requests_total"),
    logins: counter(registry, "scribe_logins_total"),
    jobsAccepted: counter(registry, "scribe_jobs_accepted_total"),
    uploadedBytes: counter(registry, "scribe_uploaded_bytes_total"),
    openStreams: gauge(registry, "scribe_event_streams"),
    droppedStreams: counter(registry, "scribe_event_streams_dropped_total"),
    repairs: counter(registry, "scribe_dispatcher_repairs_total"),
  };
}
