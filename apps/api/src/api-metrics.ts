import { Counter, createMetrics, Gauge, Histogram, type Registry } from "@scribe/telemetry";

export interface ApiMetrics {
  registry: Registry;
  /** Seconds from the request's head to the answer's end; event streams are left out. */
  requestSeconds: Histogram<"method" | "route" | "status">;
  jobsAccepted: Counter<"source">;
  uploadedBytes: Counter;
  openStreams: Gauge;
  droppedStreams: Counter<"reason">;
}

export function createApiMetrics(registry: Registry = createMetrics()): ApiMetrics {
  const registers = [registry];
  return {
    registry,
    requestSeconds: new Histogram({
      name: "scribe_http_request_duration_seconds",
      help: "Time from a request's head to the end of its answer.",
      labelNames: ["method", "route", "status"],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
      registers,
    }),
    jobsAccepted: new Counter({
      name: "scribe_jobs_accepted_total",
      help: "Jobs that were committed, by where their audio comes from.",
      labelNames: ["source"],
      registers,
    }),
    uploadedBytes: new Counter({ name: "scribe_uploaded_bytes_total", help: "Bytes of stored uploads.", registers }),
    openStreams: new Gauge({ name: "scribe_event_streams", help: "Event streams that are open.", registers }),
    droppedStreams: new Counter({
      name: "scribe_event_streams_dropped_total",
      help: "Event streams that we ended before their job did.",
      labelNames: ["reason"],
      registers,
    }),
  };
}
