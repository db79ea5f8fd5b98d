import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createLogger } from "@scribe/telemetry";
import { type Receiver, startReceiver, waitFor } from "@scribe/testing";
import { type EcsProtection, startEcsProtection } from "../src/ecs-protection.ts";

const lines: string[] = [];
const log = createLogger({
  level: "warn",
  format: "json",
  name: "test",
  destination: { write: (line) => void lines.push(line) },
});

let agent: Receiver;
let protection: EcsProtection;

/** The agent's endpoint, as its documentation shows it: PUT /task-protection/v1/state. */
const taken = (enabled: boolean) => ({
  status: 200,
  body: JSON.stringify({
    protection: { ProtectionEnabled: enabled, ExpirationDate: "2026-01-01T00:00:00Z", TaskArn: "arn" },
  }),
});

beforeEach(async () => {
  lines.length = 0;
  agent = await startReceiver();
  agent.answer((request) => taken((request.json() as { ProtectionEnabled: boolean }).ProtectionEnabled));
  protection = startEcsProtection({ agentUrl: `${agent.url}/api/abc`, log, renewMs: 100, retryMs: 50 });
});

afterEach(async () => {
  await protection.close();
  await agent.stop();
});

const bodies = () => agent.requests.map((request) => request.json());

test("a task is protected for ten minutes while it works, and let go when it rests", async () => {
  protection.hold(1);
  await agent.waitForRequests(1);
  expect(agent.requests[0]).toMatchObject({ method: "PUT", path: "/api/abc/task-protection/v1/state" });
  expect(bodies()).toEqual([{ ProtectionEnabled: true, ExpiresInMinutes: 10 }]);
  protection.hold(2);
  protection.hold(0);
  await agent.waitForRequests(2);
  expect(bodies()[1]).toEqual({ ProtectionEnabled: false });
});

test("protection is renewed while jobs run", async () => {
  protection.hold(1);
  await agent.waitForRequests(3);
  expect(bodies().every((body) => (body as { ProtectionEnabled: boolean }).ProtectionEnabled)).toBe(true);
});

test("a change during a request is told after it, and only the last one counts", async () => {
  agent.answer((request) => ({
    ...taken((request.json() as { ProtectionEnabled: boolean }).ProtectionEnabled),
    delayMs: 50,
  }));
  protection.hold(1);
  await agent.waitForRequests(1);
  protection.hold(0);
  protection.hold(3);
  protection.hold(0);
  await agent.waitForRequests(2);
  expect(bodies()).toEqual([{ ProtectionEnabled: true, ExpiresInMinutes: 10 }, { ProtectionEnabled: false }]);
});

test.each([
  [
    "an error of the agent",
    { status: 400, body: '{"error":{"Code":"AccessDeniedException","Message":"not authorized"}}' },
  ],
  ["a failure in a 200", { status: 200, body: '{"failure":{"Reason":"TASK_NOT_VALID"}}' }],
  ["no answer", "reset" as const],
])("%s is logged and tried again", async (_, first) => {
  const answers = [first];
  agent.answer(
    (request) => answers.shift() ?? taken((request.json() as { ProtectionEnabled: boolean }).ProtectionEnabled),
  );
  protection.hold(1);
  await waitFor(() => (agent.requests.length >= 2 ? true : null), { what: "another try" });
  expect(lines.join("")).toContain("ECS did not take the task's protection");
});

test("closing takes the protection away", async () => {
  protection.hold(1);
  await agent.waitForRequests(1);
  await protection.close();
  expect(bodies().at(-1)).toEqual({ ProtectionEnabled: false });
  protection.hold(5);
  expect(bodies().at(-1)).toEqual({ ProtectionEnabled: false });
});
