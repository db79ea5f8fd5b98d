import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import { snippet, snippetCases } from "./snippets.ts";

test("the guide's check for Python tells good deliveries from bad", () => {
  const cases = snippetCases();
  const ask = `
import json, sys
cases = json.load(sys.stdin)
print(json.dumps([verify_webhook(c["body"].encode(), c["headers"], c["secret"]) for c in cases]))`;
  const run = spawnSync("python3", ["-c", `${snippet("python")}\n${ask}`], {
    input: JSON.stringify(cases),
    encoding: "utf8",
    timeout: 20_000,
  });
  expect(run.stderr).toBe("");
  expect(JSON.parse(run.stdout)).toEqual(cases.map(({ expected }) => expected));
});
