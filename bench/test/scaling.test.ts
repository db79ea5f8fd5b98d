import { describe, expect, test } from "@jest/globals";
import { POLICIES, type Seen } from "../src/scale/policies.ts";
import { simulate } from "../src/scale/simulate.ts";

const [ours] = POLICIES;
const FLEET = { workerSpeed: 40, slots: 4, mostWorkers: 8, targetWaitSeconds: 300, coldStartSeconds: 180 };

const seen = (backlogAudioSeconds: number): Seen => ({
  ...{ backlogAudioSeconds, queueLength: 0, busy: 0, workersUp: 0, workersAsked: 0 },
});

test("the formula that is simulated gives what the rule gives for the same figures", () => {
  // The same as in deploy/prometheus/rules.test.yaml.
  expect(ours!.wanted(seen(36_001), FLEET)).toBe(4);
  expect(ours!.wanted(seen(36_000), FLEET)).toBe(3);
  expect(ours!.wanted(seen(0), FLEET)).toBe(0);
});

describe.each(POLICIES.map((policy) => [policy.name, policy] as const))("scaled by %s", (_, policy) => {
  const submissions = Array.from({ length: 200 }, (_, n) => ({ atSeconds: 10 + n, audioSeconds: 300 }));

  test("every job is done once, and none begins before it came", () => {
    const { waits, gpuHours } = simulate({ name: "even", submissions }, policy, FLEET);
    expect(waits).toHaveLength(submissions.length);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(0);
    // What the work itself takes.
    expect(gpuHours).toBeGreaterThan((200 * 300) / 40 / 3600);
  });

  test("losing a worker every few minutes loses no job", () => {
    const calm = simulate({ name: "even", submissions }, policy, FLEET);
    const rough = simulate({ name: "even", submissions, lossEverySeconds: 240 }, policy, FLEET);
    expect(rough.waits).toHaveLength(submissions.length);
    expect(rough.finishedAtSeconds).toBeGreaterThanOrEqual(calm.finishedAtSeconds);
  });
});

test("from nothing, the first job waits for a machine and no longer", () => {
  const { waits } = simulate({ name: "one", submissions: [{ atSeconds: 100, audioSeconds: 3600 }] }, ours!, FLEET);
  expect(waits[0]).toBeGreaterThanOrEqual(FLEET.coldStartSeconds);
  expect(waits[0]).toBeLessThanOrEqual(FLEET.coldStartSeconds + 15);
});
