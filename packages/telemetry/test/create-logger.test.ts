import { expect, test } from "@jest/globals";
import { createLogger } from "../src/index.ts";

function recordingLogger(level = "info") {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { log: createLogger({ level, format: "json", name: "test", destination }), lines };
}

test("a line is one JSON object, with who speaks, the level's name and the time", () => {
  const { log, lines } = recordingLogger();
  log.info({ jobId: "j" }, "hello");
  log.debug("not said");
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0])).toMatchObject({
    name: "test",
    level: "info",
    msg: "hello",
    jobId: "j",
    pid: process.pid,
  });
  expect(JSON.parse(lines[0]).time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
});

test.each([
  ["an Authorization header", { req: { headers: { authorization: "Bearer canary" } } }],
  ["a cookie", { req: { headers: { cookie: "canary" } } }],
  ["an API key's header", { req: { headers: { "x-api-key": "canary" } } }],
  ["a provider key's header", { req: { headers: { "x-openai-api-key": "canary" } } }],
  ["headers by themselves", { headers: { authorization: "canary" } }],
  ["a secret", { secret: "canary" }],
  ["a secret of something", { delivery: { secret: "canary" } }],
  ["a webhook's secret in a body", { body: { webhook_secret: "canary" } }],
  ["a webhook's secret in a row", { job: { webhookSecret: "canary" } }],
  ["a password", { password: "canary", database: { password: "canary" } }],
  ["an API key", { apiKey: "canary", provider: { apiKey: "canary" } }],
])("%s is redacted", (_, fields) => {
  const { log, lines } = recordingLogger();
  log.info(fields, "said");
  log.child(fields).info("said again");
  expect(lines).toHaveLength(2);
  expect(lines.join("")).not.toContain("canary");
  expect(lines.join("")).toContain("[redacted]");
});

test("an error is told with its message, stack and cause", () => {
  const { log, lines } = recordingLogger();
  log.error({ err: new Error("outer", { cause: new Error("inner") }) }, "failed");
  expect(JSON.parse(lines[0]).err).toMatchObject({ type: "Error", message: expect.stringContaining("outer: inner") });
});
