// Writes what is made from the code: .env.example and the table in README.md between its markers from the configuration
// schema, docs/metrics.md from the catalogue of metrics.
// `--check` writes nothing and fails where one of them is stale.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dashboardFiles } from "../deploy/grafana/dashboards.ts";
import { secretsEnv, settingsEnv } from "../deploy/kubernetes/settings.ts";
import { configTable, envExample } from "../packages/config/src/index.ts";
import { metricsPage } from "../packages/telemetry/src/index.ts";

const ROOT = join(import.meta.dirname, "..");
const BEGIN = "<!-- settings: made by `npm run generate` -->";
const END = "<!-- end of settings -->";

/** What each generated file should hold now. */
function generated(): Map<string, string> {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md lacks its markers ${BEGIN} and ${END}`);
  return new Map([
    [".env.example", envExample()],
    ["docs/metrics.md", metricsPage()],
    ...[...dashboardFiles()].map(([name, text]): [string, string] => [`deploy/grafana/${name}`, text]),
    ["deploy/kubernetes/base/scribe.env", settingsEnv()],
    ["deploy/kubernetes/secrets.example.env", secretsEnv()],
    ["deploy/kubernetes/monitoring/prometheus-rule.yaml", prometheusRule()],
    ["README.md", `${readme.slice(0, begin + BEGIN.length)}\n\n${configTable()}\n${readme.slice(end)}`],
  ]);
}

/** The same rules as the operator of Prometheus wants them: below `spec`. */
function prometheusRule(): string {
  const rules = readFileSync(join(ROOT, "deploy/prometheus/rules.yaml"), "utf8");
  const head = [
    "# Made from deploy/prometheus/rules.yaml by `npm run generate`.",
    "apiVersion: monitoring.coreos.com/v1",
    "kind: PrometheusRule",
    "metadata:",
    "  name: scribe",
    "spec:",
  ];
  const lines = rules.split("\n").map((line) => (line === "" ? "" : `  ${line}`));
  return [...head, ...lines].join("\n");
}

const check = process.argv.includes("--check");
for (const [name, text] of generated()) {
  const path = join(ROOT, name);
  const stale = readOr(path, "") !== text;
  if (!stale) continue;
  if (check) {
    console.error(`${name} is stale: run \`npm run generate\``);
    process.exitCode = 1;
  } else {
    writeFileSync(path, text);
    console.log(`wrote ${name}`);
  }
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return fallback;
  }
}
