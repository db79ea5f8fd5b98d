import { expect, test } from "@jest/globals";
import { createMetrics } from "@scribe/telemetry";
import { showFallbacks } from "../src/speech-metrics.ts";

test("a provider that fails is counted, with the one that runs instead", async () => {
  const registry = createMetrics({ defaults: false });
  const show = showFallbacks(registry);
  for (let i = 0; i < 2; i++) show({ from: "webgpu", to: "cpu", when: "run", reason: "the device was lost" });
  show({ from: "cuda", to: "webgpu", when: "start", reason: "no library" });
  expect((await registry.metrics()).split("\n").filter((line) => line.startsWith("scribe_"))).toEqual([
    'scribe_worker_provider_fallbacks_total{from="webgpu",to="cpu",when="run"} 2',
    'scribe_worker_provider_fallbacks_total{from="cuda",to="webgpu",when="start"} 1',
  ]);
});
