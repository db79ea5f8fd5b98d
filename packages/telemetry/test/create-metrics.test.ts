import { expect, test } from "@jest/globals";
import { Counter, createMetrics } from "../src/index.ts";

/** Name → type, from what a scrape would read. */
const typesOf = (text: string) =>
  new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));

test("names hold to Prometheus' conventions, and every metric has a help text", async () => {
  const text = await createMetrics().metrics();
  const types = typesOf(text);
  expect(types.size).toBeGreaterThan(5);
  for (const [name, type] of types) {
    expect(name).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
    expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
    // Base units only.
    expect(name).not.toMatch(/(milliseconds|_ms|minutes|kilobytes|megabytes|_mb|percent)\b/);
    expect(text).toMatch(new RegExp(`^# HELP ${name} \\S`, "m"));
  }
});

test("every default metric has a value that is alive", async () => {
  const registry = createMetrics();
  await registry.metrics();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const text = await registry.metrics();
  for (const name of typesOf(text).keys()) {
    const [, value] = text.match(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "m")) ?? [];
    expect([name, Number(value) > 0]).toEqual([name, true]);
  }
});

test("CPU time is counted once, however often it is read", async () => {
  const registry = createMetrics();
  const read = async () => Number((await registry.metrics()).match(/^process_cpu_seconds_total (\S+)$/m)?.[1]);
  await read();
  const { user, system } = process.cpuUsage();
  const counted = await read();
  expect(counted).toBeGreaterThanOrEqual((user + system) / 1e6);
  expect(counted).toBeLessThan((user + system) / 1e6 + 5);
});

test("registries share nothing", async () => {
  const [one, other] = [createMetrics({ defaults: false }), createMetrics({ defaults: false })];
  new Counter({ name: "scribe_things_total", help: "Things.", registers: [one] }).inc();
  expect(await one.metrics()).toContain("scribe_things_total 1");
  expect((await other.metrics()).trim()).toBe("");
});
