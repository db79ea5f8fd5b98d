export { type LabelsOf, METRICS, type MetricDefinition, type MetricName } from "./catalogue.ts";
export { collectTogether } from "./collect-together.ts";
export { createLogger, type Logger, type LoggerOptions } from "./create-logger.ts";
export { Counter, createMetrics, Gauge, Histogram, Registry } from "./create-metrics.ts";
export { metricsPage } from "./describe-metrics.ts";
export { counter, gauge, histogram } from "./make-metric.ts";
export { type ProcessMetricsOptions, showProcess } from "./show-process.ts";
