import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const onPath = (tool) => (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, tool)));

/**
 * Suites named `*.tools.test.ts` need programs that are not on every machine; `*.audio.test.ts` need recordings and
 * `*.models.test.ts` models that are not part of the project. A missing tool is a failure where CI=true.
 * Returns jest path patterns of what is left out.
 */
export function selectTests(env = process.env) {
  const leftOut = [];
  const missing = ["redis-server"].filter((tool) => !onPath(tool));
  if (missing.length > 0) {
    if (env.CI === "true") throw new Error(`These tools are needed where CI=true: ${missing.join(", ")}`);
    say(`Suites that need tools are not selected (missing: ${missing.join(", ")}).`);
    leftOut.push("\\.tools\\.test\\.ts$");
  }
  for (const [name, kind, what] of [
    ["SCRIBE_TEST_AUDIO", "audio", "recordings"],
    ["SCRIBE_TEST_MODELS", "models", "larger models"],
  ]) {
    const folder = env[name];
    if (folder && existsSync(folder)) continue;
    say(`Suites on ${what} are not selected (${name} does not name a folder).`);
    leftOut.push(`\\.${kind}\\.test\\.ts$`);
  }
  return leftOut;
}

// jest loads its configuration in every worker process; only the first says it.
function say(line) {
  if (!process.env.JEST_WORKER_ID) process.stderr.write(`${line}\n`);
}
