import { METRICS, type MetricDefinition } from "@scribe/telemetry";

/** Labels that Prometheus itself adds. */
const ADDED = new Set(["job", "instance", "le"]);

/** What an expression names wrongly: metrics that no process shows, and labels that its metric does not have. */
export function wrongNames(expr: string): string[] {
  const wrong: string[] = [];
  for (const [, name = "", matchers = ""] of expr.matchAll(
    /\b((?:scribe|process|nodejs)_[a-z0-9_]+)(?:\{([^}]*)\})?/g,
  )) {
    const metric = definitionOf(name);
    if (!metric) wrong.push(name);
    for (const [, label = ""] of matchers.matchAll(/(\w+)\s*[=!]/g)) {
      if (metric && !metric.labels.includes(label) && !ADDED.has(label)) wrong.push(`${name}{${label}}`);
    }
  }
  return wrong;
}

function definitionOf(name: string): MetricDefinition | undefined {
  const metrics = METRICS as Record<string, MetricDefinition>;
  const base = metrics[name.replace(/_(bucket|sum|count)$/, "")];
  return base?.type === "histogram" ? base : metrics[name];
}
