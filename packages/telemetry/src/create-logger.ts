import { type DestinationStream, type Logger, pino } from "pino";
import { scrubText } from "./scrub-text.ts";

export type { Logger } from "pino";

export interface LoggerOptions {
  level: string;
  format: "json" | "pretty";
  /** Which process speaks: `api`, `worker`, `cli`. */
  name: string;
  destination?: DestinationStream;
}

/** Where secrets may stand in what is logged; whatever is there is replaced. */
const REDACTED = [
  "req.headers.authorization",
  "req.headers.cookie",
  'req.headers["x-api-key"]',
  'req.headers["x-openai-api-key"]',
  // pino's wildcard stands for exactly one level, so each name comes twice.
  ...["authorization", "secret", "webhook_secret", "webhookSecret", "password", "apiKey"].flatMap((name) => [
    name,
    `*.${name}`,
  ]),
];

/** A pino logger: one JSON object a line on standard output, or `pretty` for people. */
export function createLogger({ level, format, name, destination }: LoggerOptions): Logger {
  const options = {
    level,
    name,
    // Messages and errors of others may carry what no field's name tells.
    hooks: { streamWrite: scrubText },
    redact: { paths: REDACTED, censor: "[redacted]" },
    base: { name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (destination) return pino(options, destination);
  if (format === "pretty") {
    return pino({
      ...options,
      formatters: {},
      transport: { target: "pino-pretty", options: { ignore: "pid,hostname", translateTime: "HH:MM:ss.l" } },
    });
  }
  return pino(options);
}
