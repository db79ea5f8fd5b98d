import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { METRICS } from "@scribe/telemetry";
import { wrongNames } from "./used-metrics.ts";

const folder = resolve(import.meta.dirname, "../../deploy/grafana");

interface Panel {
  id: number;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: { expr: string }[];
}

const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
const dashboards = files.map((name): [string, { uid: string; panels: Panel[] }] => [
  name,
  JSON.parse(readFileSync(join(folder, name), "utf8")),
]);

test("there is one for the service, the workers, the webhooks, and enhancement", () => {
  expect(files.sort()).toEqual(["enhancement.json", "service.json", "webhooks.json", "workers.json"]);
});

describe.each(dashboards)("%s", (_, { panels }) => {
  test("shows metrics and labels that there are", () => {
    for (const { expr } of panels.flatMap((panel) => panel.targets))
      expect([expr, wrongNames(expr)]).toEqual([expr, []]);
  });

  test("has panels that do not overlap, each with an id of its own", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)}/${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });
});

test("every metric of ours is on some dashboard", () => {
  const all = dashboards.map(([, dashboard]) => JSON.stringify(dashboard)).join();
  expect(Object.keys(METRICS).filter((name) => name.startsWith("scribe_") && !all.includes(name))).toEqual([]);
});
