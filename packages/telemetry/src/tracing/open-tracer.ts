import type { Logger } from "pino";
import { NO_TRACER, type Tracer } from "./tracer.ts";

/** The standard variables of OpenTelemetry, as far as they are heeded here. */
export interface TracingSettings {
  OTEL_SDK_DISABLED: boolean;
  OTEL_EXPORTER_OTLP_ENDPOINT: string | undefined;
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: string | undefined;
  OTEL_EXPORTER_OTLP_HEADERS: string | undefined;
  OTEL_SERVICE_NAME: string | undefined;
  OTEL_RESOURCE_ATTRIBUTES: string | undefined;
  OTEL_TRACES_SAMPLER: string;
  OTEL_TRACES_SAMPLER_ARG: number;
}

/** A tracer that sends OTLP over HTTP, as JSON; without an endpoint one that does nothing, and loads nothing. */
export async function openTracer(
  settings: TracingSettings,
  { service, version, log }: { service: string; version: string; log: Logger },
): Promise<Tracer> {
  const url = tracesUrl(settings);
  if (url === null || settings.OTEL_SDK_DISABLED || settings.OTEL_TRACES_SAMPLER === "always_off") return NO_TRACER;
  const [{ createTracer }, { createOtlpExporter }] = await Promise.all([
    import("./create-tracer.ts"),
    import("./otlp-exporter.ts"),
  ]);
  const exporter = createOtlpExporter({
    url,
    headers: readPairs(settings.OTEL_EXPORTER_OTLP_HEADERS),
    resource: {
      ...readPairs(settings.OTEL_RESOURCE_ATTRIBUTES),
      "service.name": settings.OTEL_SERVICE_NAME ?? service,
      "service.version": version,
      "process.pid": String(process.pid),
    },
    log,
  });
  return createTracer(exporter, { sampler: settings.OTEL_TRACES_SAMPLER, ratio: settings.OTEL_TRACES_SAMPLER_ARG });
}

function tracesUrl(settings: TracingSettings): string | null {
  const { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces, OTEL_EXPORTER_OTLP_ENDPOINT: base } = settings;
  if (traces !== undefined) return traces;
  return base === undefined ? null : `${base.replace(/\/$/, "")}/v1/traces`;
}

/** `name=value,name=value`, the values percent-encoded. */
function readPairs(text = ""): Record<string, string> {
  const pairs = text
    .split(",")
    .map((pair) => pair.split("="))
    .filter((parts) => parts.length >= 2)
    .map(([name = "", ...value]) => [name.trim(), decodeSafely(value.join("=").trim())]);
  return Object.fromEntries(pairs);
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
