import { expect, test } from "@jest/globals";
import { renderTimeline } from "../src/index.ts";

const turn = (speaker: string, start: number, end: number) => ({ speaker, start, end });

test("the timeline has a row for each speaker and a bar for each turn, in proportion", () => {
  const svg = renderTimeline([turn("Anna", 0, 30), turn("Ben", 30, 60), turn("Anna", 90, 120)], ["Anna", "Ben"], 120);
  const widths = [...svg.matchAll(/<rect x="[\d.]+" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
  expect(widths).toEqual([196, 196, 196]);
  expect(svg.indexOf(">Anna<")).toBeLessThan(svg.indexOf(">Ben<"));
  expect(svg).toContain("<title>00:30–01:00</title>");
});

test("a name is text and nothing else", () => {
  const name = `<script>alert("1")</script>&\u0007`;
  const svg = renderTimeline([turn(name, 0, 1)], [name], 1);
  expect(svg).not.toContain("<script>");
  expect(svg).not.toContain("\u0007");
  expect(svg).toContain("&lt;script&gt;");
});

test("nobody's timeline is empty, and a day's has few marks", () => {
  expect(renderTimeline([], [], 0)).toContain("<svg");
  expect(renderTimeline([], [], 86_400).match(/<path/g)!.length).toBeLessThan(14);
});
