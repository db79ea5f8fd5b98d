import { decimal, flag, oneOf, setting, text, url } from "../setting.ts";

/** OpenTelemetry's standard variables; without an endpoint nothing is traced. */
export const tracingSettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT: setting(url("http:", "https:"), {
    description: "Where traces go: a collector that takes OTLP over HTTP as JSON; absent: no traces",
  }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: setting(url("http:", "https:"), {
    description: "The same with its whole path; absent: OTEL_EXPORTER_OTLP_ENDPOINT and /v1/traces",
  }),
  OTEL_EXPORTER_OTLP_HEADERS: setting(text, {
    secret: true,
    description: "Headers for the collector, `name=value,name=value`",
  }),
  OTEL_SERVICE_NAME: setting(text, { description: "Name of the process in traces; absent: scribe-api, scribe-worker" }),
  OTEL_RESOURCE_ATTRIBUTES: setting(text, {
    description: "Further attributes of the process, `name=value,name=value`",
  }),
  OTEL_TRACES_SAMPLER: setting(
    oneOf([
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ]),
    { fallback: "parentbased_always_on", description: "Which traces are kept" },
  ),
  OTEL_TRACES_SAMPLER_ARG: setting(decimal(0, 1), { fallback: "1", description: "Share that the ratio samplers keep" }),
  OTEL_SDK_DISABLED: setting(flag, { fallback: "false", description: "Turns traces off" }),
} as const;
