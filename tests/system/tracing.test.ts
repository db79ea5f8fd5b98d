import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Receiver, startReceiver, startTestStack, type TestStack, waitFor } from "@scribe/testing";

interface SentSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
}

let collector: Receiver;
let hooks: Receiver;
let stack: TestStack;

beforeAll(async () => {
  [collector, hooks] = await Promise.all([startReceiver(), startReceiver()]);
  stack = await startTestStack({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, LOG_LEVEL: "info" });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await Promise.all([collector?.stop(), hooks?.stop()]);
}, 60_000);

test("a caller's trace goes through API, queue and worker to the webhook", async () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const response = await stack.call("/api/v1/transcribe", {
    method: "POST",
    headers: { "content-type": "application/json", traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    body: JSON.stringify({
      url: "http://127.0.0.1:9/none.wav",
      engine: "synthetic",
      metadata: { synthetic: JSON.stringify({ audio: false, windows: 1 }) },
      webhook_url: `${hooks.url}/hook`,
    }),
  });
  expect(response.status).toBe(202);
  const spans = await waitFor(
    () => {
      const found = collector.requests
        .flatMap(
          (request) => (request.json() as { resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[] }).resourceSpans,
        )
        .flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans))
        .filter((span) => span.traceId === traceId);
      return found.some(({ name }) => name === "deliver webhook") && found.some(({ name }) => name === "POST")
        ? found
        : null;
    },
    { timeoutMs: 30_000, what: "the spans" },
  );
  const byName = new Map(spans.map((span) => [span.name, span]));
  const request = byName.get("POST");
  expect(request?.parentSpanId).toBe("b7ad6b7169203331");
  for (const name of ["wait in the queue", "attempt", "deliver webhook"]) {
    expect([name, byName.get(name)?.parentSpanId]).toEqual([name, request?.spanId]);
  }
  for (const name of ["transcribe", "commit"]) {
    expect([name, byName.get(name)?.parentSpanId]).toEqual([name, byName.get("attempt")?.spanId]);
  }
  // What is logged of it can be found by the trace.
  expect(stack.process.output()).toContain(traceId);
}, 60_000);
