import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export { Counter, Gauge, Histogram, Registry };

/**
 * A registry of one process. Of prom-client's default metrics only those whose names hold to Prometheus' conventions
 * are kept.
 */
export function createMetrics({ defaults = true }: { defaults?: boolean } = {}): Registry {
  const registry = new Registry();
  if (!defaults) return registry;
  const all = new Registry();
  collectDefaultMetrics({ register: all });
  for (const name of [
    "process_cpu_seconds_total",
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_open_fds",
    "nodejs_eventloop_lag_seconds",
    "nodejs_eventloop_lag_p99_seconds",
    "nodejs_heap_size_used_bytes",
  ]) {
    const metric = all.getSingleMetric(name);
    if (metric) registry.registerMetric(metric as never);
  }
  return registry;
}
