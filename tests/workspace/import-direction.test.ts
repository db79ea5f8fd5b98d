import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";

const root = resolve(import.meta.dirname, "../..");
const copy = mkdtempSync(join(tmpdir(), "scribe-lint-"));
afterAll(() => rmSync(copy, { recursive: true }));

/** Where, what is imported there, and a word of the complaint. */
const forbidden = [
  ["packages/domain/src/a.ts", "@scribe/config", "no other package of ours"],
  ["packages/speech/src/whisper/a.ts", "@scribe/domain", "no other package of ours"],
  ["packages/storage/src/a.ts", "@scribe/database", "Imports point one way"],
  ["packages/engines/synthetic/src/a.ts", "@scribe/queue", "Imports point one way"],
  ["packages/queue/src/a.ts", "@scribe/webhooks", "Imports point one way"],
  ["packages/media/src/a.ts", "@scribe/testing", "Imports point one way"],
  ["packages/media/src/a.ts", "@scribe/domain/src/errors.ts", "by its door only"],
  ["packages/media/src/a.ts", "../../domain/src/errors.ts", "by its door only"],
  ["packages/media/test/a.test.ts", "../../domain/src/errors.ts", "by its door only"],
  ["packages/testing/src/a.ts", "@scribe/api", "Nothing imports an app"],
  ["apps/worker/src/steps/a.ts", "@scribe/api", "Nothing imports an app"],
  ["apps/worker/src/a.ts", "../../api/src/main.ts", "by its door only"],
  ["apps/api/src/a.ts", "@scribe/testing", "stays out of the product"],
  ["tests/system/a.test.ts", "@scribe/worker", "Nothing imports an app"],
];

const allowed = [
  ["packages/storage/src/a.ts", "@scribe/domain"],
  ["packages/webhooks/src/a.ts", "@scribe/database"],
  ["packages/webhooks/src/a.ts", "@scribe/outbound"],
  ["packages/testing/src/a.ts", "@scribe/database"],
  ["packages/media/src/deep/a.ts", "../../package.json"],
  ["packages/media/test/a.test.ts", "../src/index.ts"],
  ["packages/speech/test/whisper/a.test.ts", "../../src/index.ts"],
  ["packages/domain/test/a.test.ts", "@scribe/testing"],
  ["apps/cli/src/a.ts", "@scribe/api"],
  ["apps/worker/src/a.ts", "@scribe/speech"],
];

/** What the linter says of each file, by its path. */
const complaints = new Map<string, string>();
const fileOf = (path: string, name: string) => path.replace(/a(?=(\.test)?\.ts$)/, name.replace(/\W+/g, "-"));

// One run over all of them: a house of the same shape, with the project's own rules.
beforeAll(() => {
  copyFileSync(join(root, "biome.json"), join(copy, "biome.json"));
  for (const [path, name] of [...forbidden, ...allowed]) {
    const file = join(copy, fileOf(path, name));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `export { thing } from ${JSON.stringify(name)};\n`);
  }
  const linter = join(root, "node_modules/@biomejs/biome/bin/biome");
  const only = "--only=style/noRestrictedImports";
  const args = [linter, "lint", only, "--reporter=json", "--vcs-enabled=false", "--max-diagnostics=none", "."];
  const run = spawnSync(process.execPath, args, { cwd: copy, encoding: "utf8", timeout: 20_000 });
  const report = JSON.parse(run.stdout) as { diagnostics: Array<{ location: { path: string } }> };
  for (const diagnostic of report.diagnostics) complaints.set(diagnostic.location.path, JSON.stringify(diagnostic));
});

test.each(forbidden)("%s may not import %s", (path, name, reason) => {
  expect(complaints.get(fileOf(path, name))).toContain(reason);
});

test.each(allowed)("%s may import %s", (path, name) => {
  expect(complaints.get(fileOf(path, name))).toBeUndefined();
});
