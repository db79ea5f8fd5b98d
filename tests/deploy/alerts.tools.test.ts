import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, test } from "@jest/globals";

const folder = resolve(import.meta.dirname, "../../deploy/prometheus");

test.each([
  ["the rules are rules", ["check", "rules", "rules.yaml"]],
  ["the configuration is one", ["check", "config", "prometheus.yaml"]],
  ["alerts fire on their fault, and only then", ["test", "rules", "rules.test.yaml"]],
])("%s", (_, args) => {
  const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: folder, encoding: "utf8" });
  expect([status, status === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
});
