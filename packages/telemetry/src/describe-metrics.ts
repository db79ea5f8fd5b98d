import { METRICS, type MetricDefinition } from "./catalogue.ts";

const PROCESSES = {
  api: ["The API", "Each replica shows its own on `METRICS_PORT`; add them up."],
  worker: [
    "Workers",
    "Each worker shows its own on `WORKER_PORT`; add them up. A worker that is scaled away takes its counters with it, which `rate()` understands.",
  ],
  maintenance: [
    "The whole instance",
    "Read from Postgres at each scrape by workers with the role `maintenance`. Where several have it, each shows the same: take `max`, never `sum`. While Postgres is away they are absent, which alerts and scaling must tell from 0.",
  ],
  every: ["Every process", "API and workers alike."],
} as const satisfies Record<MetricDefinition["of"], readonly [string, string]>;

/** `docs/metrics.md`, from the catalogue. */
export function metricsPage(): string {
  const sections = Object.entries(PROCESSES).map(([of, [title, remark]]) => {
    const rows = Object.entries<MetricDefinition>(METRICS)
      .filter(([, metric]) => metric.of === of)
      .map(([name, { type, labels, help, steady }]) => {
        const note = steady ? ` *(${steady})*` : "";
        return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help}${note} |`;
      });
    return `## ${title}\n\n${remark}\n\n| name | type | labels | what it is |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
  });
  return `# Metrics\n\nGenerated from the code by \`npm run generate\`. What to look at first: the dashboards in \`deploy/grafana\`, the rules in \`deploy/prometheus\`.\n\n${sections.join("\n")}`;
}
