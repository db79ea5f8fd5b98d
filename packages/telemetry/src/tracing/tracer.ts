export type SpanAttributes = Record<string, string | number | boolean>;

export interface SpanOptions {
  /** `traceparent` of what caused it; where there is none, a trace begins. */
  parent?: string | null | undefined;
  kind?: "internal" | "server" | "client" | "producer" | "consumer";
  attributes?: SpanAttributes;
  /** Absent: now. */
  startedAt?: Date;
}

export interface Span {
  /** Hands the trace on; undefined where nothing is traced. */
  readonly traceparent: string | undefined;
  readonly traceId: string | undefined;
  set(attributes: SpanAttributes): void;
  /** With an error, the span is marked as failed. */
  end(error?: unknown): void;
}

export interface Tracer {
  readonly enabled: boolean;
  start(name: string, options?: SpanOptions): Span;
  /** Sends what is left, within a time limit. */
  close(): Promise<void>;
}

const NO_SPAN: Span = { traceparent: undefined, traceId: undefined, set() {}, end() {} };

/** Traces nothing, and costs as much. */
export const NO_TRACER: Tracer = { enabled: false, start: () => NO_SPAN, close: async () => {} };
