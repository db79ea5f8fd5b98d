import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { wrongNames } from "./used-metrics.ts";

const read = (path: string) => readFileSync(resolve(import.meta.dirname, "../..", path), "utf8");

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  for?: string;
  labels?: { severity: string };
  annotations?: { summary: string; runbook_url: string };
}

const { groups } = parse(read("deploy/prometheus/rules.yaml")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule) => rule.alert !== undefined);

test("a name that no process shows is found", () => {
  expect(wrongNames('sum(scribe_nothing{a="b"}) / scribe_worker_step_seconds_bucket{queue="x",step="y"}')).toEqual([
    "scribe_nothing",
    "scribe_worker_step_seconds_bucket{queue}",
  ]);
});

test("rules use metrics and labels that there are", () => {
  expect(rules.length).toBeGreaterThan(15);
  for (const { expr } of rules) expect([expr, wrongNames(expr)]).toEqual([expr, []]);
});

describe("each alert", () => {
  const runbook = read("docs/runbook.md");
  const tested = read("deploy/prometheus/rules.test.yaml");
  const pages = new Map(
    runbook
      .split(/^## /m)
      .slice(1)
      .map((page) => [page.split("\n")[0]!.trim(), page.split("\n").slice(1).join("\n").trim()]),
  );

  test.each(alerts.map((rule): [string, Rule] => [rule.alert!, rule]))(
    "%s has a severity, a page in the runbook, and a test",
    (name, rule) => {
      expect(["critical", "warning"]).toContain(rule.labels?.severity);
      expect(rule.annotations?.summary).toBeTruthy();
      expect(rule.annotations?.runbook_url).toBe(`docs/runbook.md#${name.toLowerCase()}`);
      expect(pages.get(name)?.length).toBeGreaterThan(80);
      expect(tested).toContain(`alertname="${name}"`);
    },
  );

  test("the runbook has no page without an alert, and links to pages that there are", () => {
    expect([...pages.keys()].sort()).toEqual(alerts.map((rule) => rule.alert!).sort());
    for (const [, anchor] of runbook.matchAll(/\]\(#([a-z]+)\)/g)) {
      expect([...pages.keys()].map((name) => name.toLowerCase())).toContain(anchor);
    }
  });
});

test("Kubernetes gets the same rules", () => {
  const rule = parse(read("deploy/kubernetes/monitoring/prometheus-rule.yaml")) as { spec: unknown };
  expect(rule.spec).toEqual({ groups });
});
