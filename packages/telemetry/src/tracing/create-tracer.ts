import type { FinishedSpan, SpanExporter } from "./otlp-exporter.ts";
import { formatTraceparent, newSpanId, newTraceId, parseTraceparent } from "./trace-context.ts";
import type { Span, SpanAttributes, SpanOptions, Tracer } from "./tracer.ts";

export interface Sampling {
  /** As OTEL_TRACES_SAMPLER names it. */
  sampler: string;
  /** Of new traces, 0 to 1, for the samplers by ratio. */
  ratio: number;
}

/** Makes spans, and gives those that are sampled to `exporter` when they end. */
export function createTracer(exporter: SpanExporter, { sampler, ratio }: Sampling): Tracer {
  const followsParent = sampler.startsWith("parentbased_");
  const share = sampler.endsWith("traceidratio") ? ratio : sampler.endsWith("always_off") ? 0 : 1;

  // The trace's id is random: its last 7 bytes decide, everywhere alike.
  const choose = (traceId: string) => Number.parseInt(traceId.slice(-14), 16) / 2 ** 56 < share;

  function start(name: string, options: SpanOptions = {}): Span {
    const parent = parseTraceparent(options.parent);
    const traceId = parent?.traceId ?? newTraceId();
    const sampled = parent && followsParent ? parent.sampled : choose(traceId);
    const context = { traceId, spanId: newSpanId(), sampled };
    const startedAtMs = options.startedAt?.getTime() ?? Date.now();
    const attributes: SpanAttributes = { ...options.attributes };
    let ended = false;
    return {
      traceId,
      traceparent: formatTraceparent(context),
      set: (more) => void Object.assign(attributes, more),
      end(error) {
        if (ended) return;
        ended = true;
        if (!sampled) return;
        exporter.add({
          ...context,
          parentSpanId: parent?.spanId,
          name,
          kind: options.kind ?? "internal",
          startedAtMs,
          endedAtMs: Math.max(startedAtMs, Date.now()),
          attributes,
          error: error === undefined ? undefined : error instanceof Error ? error.message : String(error),
        } satisfies FinishedSpan);
      },
    };
  }

  return { enabled: true, start, close: () => exporter.close() };
}
