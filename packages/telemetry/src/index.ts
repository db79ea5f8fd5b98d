export { createLogger, type Logger, type LoggerOptions } from "./create-logger.ts";
export { Counter, createMetrics, Gauge, Histogram, Registry } from "./create-metrics.ts";
