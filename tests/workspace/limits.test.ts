import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { CONCERNS } from "@scribe/config";

const docs = resolve(import.meta.dirname, "../../docs");
const page = readFileSync(join(docs, "limits.md"), "utf8");
const settings = new Map(
  Object.values(CONCERNS).flatMap((concern) => Object.entries(concern as Record<string, { fallback?: string }>)),
);

/** What bounds something, by its name, in whatever concern it stands. */
const BOUNDS = /^(MAX|RATE_LIMIT)_|_(TIMEOUT_SECONDS|CONCURRENCY|LIMIT|MEMORY_BYTES)$|^JOB_TIMEOUT_FACTOR$/;
const limits = [...settings.keys()].filter((name) => name in CONCERNS.limits || BOUNDS.test(name));

const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (limit|---)/.test(line))
  .map((line) => line.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "").trim()));
const configured = rows.filter(({ length }) => length === 5);
const nameOf = (row: readonly string[]) => row[1]!.replaceAll("`", "");

test("every setting that bounds something has its row, once, with its default", () => {
  expect(configured.map(nameOf).sort()).toEqual([...limits].sort());
  for (const row of configured)
    expect([nameOf(row), row[2]]).toEqual([nameOf(row), settings.get(nameOf(row))!.fallback]);
});

describe("each row names the test that takes both sides", () => {
  test.each(rows.map((row): [string, string] => [row[0]!, row.at(-1)!]))("%s", (_limit, cell) => {
    const [, path, title] = /^\[[\w-]+\]\(([^)]+)\): (.+)$/.exec(cell) ?? [];
    expect(existsSync(join(docs, path!))).toBe(true);
    const titles = readFileSync(join(docs, path!), "utf8");
    expect(titles).toContain(title);
    expect(title!.length).toBeGreaterThan(6);
  });
});

test("the page is neither empty nor cut", () => {
  expect(configured.length).toBeGreaterThan(40);
  expect(rows.length - configured.length).toBeGreaterThan(30);
});
