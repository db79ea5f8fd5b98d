import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const list = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (/^(node_modules|generated|\..+)$/.test(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? list(path) : [path];
  });
const files = list(".");
const pages = files.filter((path) => path.endsWith(".md"));

/** As GitHub names a heading's place. */
const anchorOf = (heading: string) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[^\p{L}\p{N}_\- ]/gu, "")
    .replaceAll(" ", "-");
const anchorsOf = (page: string) =>
  [
    ...read(page)
      .replaceAll(/```[\s\S]*?```/g, "")
      .matchAll(/^#+ (.*)$/gm),
  ].map(([, heading]) => anchorOf(heading!));

function deadLinks(page: string, text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^(https?|mailto):/.test(link))
    .filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : normalize(join(dirname(page), path));
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && target.endsWith(".md") && !anchorsOf(target).includes(anchor);
    });
}

test("a link to nowhere is found", () => {
  const text = "[a](nowhere.md) [b](README.md) [c](README.md#settings) [d](README.md#nothing) [e](https://x.y)";
  expect(deadLinks("SECURITY.md", text)).toEqual(["nowhere.md", "README.md#nothing"]);
});

test.each(pages)("%s leads to places, files and commands that there are", (page) => {
  const text = read(page);
  expect(deadLinks(page, text)).toEqual([]);
  const named = text.matchAll(
    /`((?:apps|packages|tests|docs|deploy|security|bench|chaos|scripts|prisma)\/[\w./@-]+)`/g,
  );
  expect([...named].map(([, path]) => path!).filter((path) => !existsSync(join(root, path)))).toEqual([]);
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const commands = [...text.matchAll(/npm run ([a-z][\w:]*\w)(?![\w:])/g)].map(([, name]) => name!);
  expect(commands.filter((name) => !(name in scripts))).toEqual([]);
});

describe("docs/security.md", () => {
  const rows = read("docs/security.md")
    .split("\n## Walls\n")[1]!
    .split("\n## ")[0]!
    .split("\n")
    .filter((line) => line.startsWith("| ") && !/^\| (against|---)/.test(line));

  const attackNames = list("security/src/attacks").flatMap((path) =>
    [...read(path).matchAll(/^ {2}name: "([\w-]+)"/gm)].map(([, name]) => name!),
  );

  test("has many walls", () => expect(rows.length).toBeGreaterThan(35));

  test.each(rows)("each wall has its test: %s", (row) => {
    const cell = row.split(" | ").at(-1)!;
    const tests = [...cell.matchAll(/`([\w./-]+)`/g)].map(([, name]) => name!).filter((name) => /[./]/.test(name));
    const attacks = [...(/attacks? (.*)/.exec(cell)?.[1] ?? "").matchAll(/`([\w-]+)`/g)].map(([, name]) => name!);
    expect(tests.length + attacks.length).toBeGreaterThan(0);
    const isThere = (name: string) => existsSync(join(root, name)) || files.some((path) => path.endsWith(`/${name}`));
    expect(tests.filter((name) => !isThere(name))).toEqual([]);
    for (const attack of attacks) expect(attackNames).toContain(attack);
  });
});

test("no page tells of where it was written", () => {
  const tracked = execFileSync("git", ["ls-files", "*.md"], { cwd: root, encoding: "utf8" })
    .split("\n")
    .filter(Boolean);
  for (const page of tracked.filter((path) => existsSync(join(root, path)))) {
    expect([page, read(page).match(/\/work\/|\.\.\/shared|\bissue \d/gi)]).toEqual([page, null]);
  }
});
