import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createLogger, NO_TRACER, openTracer, type TracingSettings } from "../src/index.ts";
import { formatTraceparent, parseTraceparent } from "../src/tracing/trace-context.ts";

interface SentSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  attributes: { key: string; value: object }[];
  status: object;
}

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const lines: string[] = [];
const log = createLogger({
  level: "warn",
  format: "json",
  name: "test",
  destination: { write: (line) => void lines.push(line) },
});

let collector: {
  url: string;
  bodies: { path: string; headers: object; spans: SentSpan[]; resource: object }[];
  stop(): void;
};
let answerStatus = 200;

beforeEach(async () => {
  lines.length = 0;
  answerStatus = 200;
  const bodies: (typeof collector)["bodies"] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const [{ resource, scopeSpans }] = JSON.parse(text).resourceSpans;
    bodies.push({ path: request.url!, headers: request.headers, spans: scopeSpans[0].spans, resource });
    response.writeHead(answerStatus).end("{}");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
});

afterEach(() => collector.stop());

const open = (settings: Partial<TracingSettings> = {}) =>
  openTracer(
    {
      OTEL_SDK_DISABLED: false,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: undefined,
      OTEL_EXPORTER_OTLP_HEADERS: undefined,
      OTEL_SERVICE_NAME: undefined,
      OTEL_RESOURCE_ATTRIBUTES: undefined,
      OTEL_TRACES_SAMPLER: "parentbased_always_on",
      OTEL_TRACES_SAMPLER_ARG: 1,
      ...settings,
    },
    { service: "scribe-test", version: "1.2.3", log },
  );

const sent = () => collector.bodies.flatMap(({ spans }) => spans);

describe("trace context", () => {
  test("is read and written as it came", () => {
    expect(formatTraceparent(parseTraceparent(PARENT)!)).toBe(PARENT);
    expect(parseTraceparent(PARENT.replace(/01$/, "00"))?.sampled).toBe(false);
  });

  test.each([
    ["nothing", undefined],
    ["no context", "hello"],
    ["the forbidden version", `ff${PARENT.slice(2)}`],
    ["a trace of zeros", `00-${"0".repeat(32)}-b7ad6b7169203331-01`],
    ["a span of zeros", `00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01`],
    ["upper case", PARENT.toUpperCase()],
  ])("%s begins a new trace", (_, text) => {
    expect(parseTraceparent(text)).toBeNull();
  });
});

test.each([
  ["no endpoint", { OTEL_EXPORTER_OTLP_ENDPOINT: undefined }],
  ["OTEL_SDK_DISABLED", { OTEL_SDK_DISABLED: true }],
  ["always_off", { OTEL_TRACES_SAMPLER: "always_off" }],
])("with %s nothing is traced", async (_, settings) => {
  const tracer = await open(settings);
  expect(tracer).toBe(NO_TRACER);
  const span = tracer.start("x", { parent: PARENT });
  span.set({ a: 1 });
  span.end();
  expect(span.traceparent).toBeUndefined();
  await tracer.close();
});

test("spans are sent as OTLP's JSON, as parts of the caller's trace", async () => {
  const tracer = await open({ OTEL_EXPORTER_OTLP_HEADERS: "x-team=a%20b", OTEL_RESOURCE_ATTRIBUTES: "zone=a" });
  const outer = tracer.start("outer", {
    parent: PARENT,
    kind: "server",
    attributes: { route: "/x", size: 3, share: 0.5, ok: true },
  });
  const inner = tracer.start("inner", { parent: outer.traceparent });
  inner.end(new Error("it broke"));
  inner.end();
  outer.end();
  await tracer.close();
  expect(collector.bodies).toHaveLength(1);
  expect(collector.bodies[0]).toMatchObject({ path: "/v1/traces", headers: { "x-team": "a b" } });
  expect(JSON.stringify(collector.bodies[0].resource)).toContain(
    '{"key":"service.name","value":{"stringValue":"scribe-test"}}',
  );
  const [second, first] = sent();
  expect(first).toMatchObject({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    parentSpanId: "b7ad6b7169203331",
    name: "outer",
    kind: 2,
    status: {},
    attributes: [
      { key: "route", value: { stringValue: "/x" } },
      { key: "size", value: { intValue: "3" } },
      { key: "share", value: { doubleValue: 0.5 } },
      { key: "ok", value: { boolValue: true } },
    ],
  });
  expect(second).toMatchObject({
    traceId: first.traceId,
    parentSpanId: first.spanId,
    name: "inner",
    status: { code: 2, message: "it broke" },
  });
});

test("the samplers keep what they say", async () => {
  const kept = async (settings: Partial<TracingSettings>, parent?: string) => {
    collector.bodies.length = 0;
    const tracer = await open(settings);
    for (let n = 0; n < 400; n++) tracer.start("x", { parent }).end();
    await tracer.close();
    return sent().length;
  };
  const unsampled = PARENT.replace(/01$/, "00");
  expect(await kept({}, unsampled)).toBe(0);
  expect(await kept({ OTEL_TRACES_SAMPLER: "always_on" }, unsampled)).toBe(400);
  expect(await kept({ OTEL_TRACES_SAMPLER: "parentbased_always_off" })).toBe(0);
  const third = await kept({ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: 0.3 });
  expect(third).toBeGreaterThan(60);
  expect(third).toBeLessThan(190);
});

test("a collector that fails is told of once, and costs nothing else", async () => {
  answerStatus = 500;
  const tracer = await open({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/here` });
  for (let n = 0; n < 1100; n++) tracer.start("x").end();
  await tracer.close();
  expect(collector.bodies.map(({ path }) => path)).toEqual(["/here", "/here", "/here"]);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("traces could not be sent");
});
