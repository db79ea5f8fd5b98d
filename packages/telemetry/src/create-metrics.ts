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
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_open_fds",
    "nodejs_eventloop_lag_seconds",
    "nodejs_eventloop_lag_p99_seconds",
  ]) {
    const metric = all.getSingleMetric(name);
    if (metric) registry.registerMetric(metric as never);
  }
  // prom-client sets these two while it collects siblings that are not kept, so they would stay at 0.
  new Counter({
    name: "process_cpu_seconds_total",
    help: "User and system CPU time spent in seconds.",
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: "nodejs_heap_size_used_bytes",
    help: "Heap in use by JavaScript, in bytes.",
    registers: [registry],
    collect() {
      this.set(process.memoryUsage().heapUsed);
    },
  });
  return registry;
}
