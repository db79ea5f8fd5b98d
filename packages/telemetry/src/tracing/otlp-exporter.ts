import type { Logger } from "pino";
import type { SpanAttributes, SpanOptions } from "./tracer.ts";

export interface FinishedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  kind: NonNullable<SpanOptions["kind"]>;
  startedAtMs: number;
  endedAtMs: number;
  attributes: SpanAttributes;
  error: string | undefined;
}

export interface SpanExporter {
  add(span: FinishedSpan): void;
  close(): Promise<void>;
}

export interface OtlpExporterOptions {
  url: string;
  headers: Record<string, string>;
  /** Attributes of the process that all its spans share. */
  resource: Record<string, string>;
  log: Logger;
  everyMs?: number;
}

/** Figures of OpenTelemetry's own batch processor. */
const EVERY_MS = 5_000;
const BATCH = 512;
const MOST_WAITING = 2_048;
const SEND_LIMIT_MS = 10_000;

/** As the protocol numbers them. */
const KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
const STATUS_ERROR = 2;

/**
 * Sends spans in batches by OTLP/HTTP as JSON (opentelemetry-proto, JSON mapping: ids in hex, times as strings of
 * nanoseconds). A collector that is away costs the spans of that time, never memory or a job.
 */
export function createOtlpExporter(options: OtlpExporterOptions): SpanExporter {
  const { url, headers, resource, log, everyMs = EVERY_MS } = options;
  let waiting: FinishedSpan[] = [];
  let sending: Promise<void> = Promise.resolve();
  let told = false;
  const timer = setInterval(flush, everyMs).unref();

  function flush(): void {
    if (waiting.length === 0) return;
    const spans = waiting;
    waiting = [];
    sending = sending.then(() => send(spans));
  }

  async function send(spans: FinishedSpan[]): Promise<void> {
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(toRequest(spans, resource)),
        signal: AbortSignal.timeout(SEND_LIMIT_MS),
      });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`the collector answered ${response.status}`);
      told = false;
    } catch (err) {
      // Once for each time that it is away.
      if (!told) log.warn({ err, spans: spans.length }, "traces could not be sent");
      told = true;
    }
  }

  return {
    add(span) {
      if (waiting.length < MOST_WAITING) waiting.push(span);
      if (waiting.length === BATCH) flush();
    },
    async close() {
      clearInterval(timer);
      flush();
      await sending;
    },
  };
}

function toRequest(spans: readonly FinishedSpan[], resource: Record<string, string>) {
  return {
    resourceSpans: [
      {
        resource: { attributes: toAttributes(resource) },
        scopeSpans: [{ scope: { name: "scribe" }, spans: spans.map(toSpan) }],
      },
    ],
  };
}

function toSpan({
  traceId,
  spanId,
  parentSpanId,
  name,
  kind,
  startedAtMs,
  endedAtMs,
  attributes,
  error,
}: FinishedSpan) {
  return {
    traceId,
    spanId,
    ...(parentSpanId && { parentSpanId }),
    name,
    kind: KINDS[kind],
    startTimeUnixNano: toNanoseconds(startedAtMs),
    endTimeUnixNano: toNanoseconds(endedAtMs),
    attributes: toAttributes(attributes),
    status: error === undefined ? {} : { code: STATUS_ERROR, message: error },
  };
}

function toNanoseconds(ms: number): string {
  return `${Math.round(ms)}000000`;
}

function toAttributes(attributes: SpanAttributes) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: toValue(value) }));
}

function toValue(value: string | number | boolean) {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
