import type { Series } from "./series.ts";

interface Panel {
  title: string;
  what: string;
  unit: "s" | "short" | "percentunit" | "bytes" | "reqps";
  series: Series[];
  kind?: "stat";
}

export interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
}

/** As Grafana imports it: four small ones in the first row, then two in each. */
export function renderDashboard({ uid, title, panels }: Dashboard) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills this in
  const datasource = { type: "prometheus", uid: "${datasource}" };
  let statX = 0;
  let graphs = 0;
  return {
    uid,
    title,
    tags: ["scribe"],
    schemaVersion: 39,
    editable: true,
    time: { from: "now-3h", to: "now" },
    refresh: "30s",
    templating: { list: [{ name: "datasource", type: "datasource", query: "prometheus", label: "Prometheus" }] },
    panels: panels.map(({ title: name, what, unit, series, kind }, index) => {
      const gridPos =
        kind === "stat"
          ? { x: 6 * statX++, y: 0, w: 6, h: 4 }
          : { x: 12 * (graphs % 2), y: 4 + 8 * Math.floor(graphs++ / 2), w: 12, h: 8 };
      return {
        id: index + 1,
        type: kind ?? "timeseries",
        title: name,
        description: what,
        gridPos,
        datasource,
        fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
        options: kind === "stat" ? { reduceOptions: { calcs: ["lastNotNull"] } } : { tooltip: { mode: "multi" } },
        targets: series.map(({ expr, legend }, n) => ({
          refId: String.fromCharCode(65 + n),
          datasource,
          expr,
          legendFormat: legend,
        })),
      };
    }),
  };
}
