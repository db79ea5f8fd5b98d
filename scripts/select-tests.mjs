import { existsSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { versionBefore } from "./version-before.mjs";

/** Programs that suites named `*.tools.test.ts` start. */
const TOOLS = ["redis-server", "promtool", "prometheus", "pg_dump", "sctk", "curl", "python3"];

/** A driver of Vulkan that `*.vulkan.test.ts` compute with, and the library that loads it. */
const VULKAN_DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";
const VULKAN_LOADERS = ["x86_64", "aarch64"].map((machine) => `/usr/lib/${machine}-linux-gnu/libvulkan.so.1`);

const onPath = (tool) => (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, tool)));

/**
 * Suites named `*.tools.test.ts` need programs that are not on every machine; `*.audio.test.ts` need recordings and
 * `*.models.test.ts` models that are not part of the project. A missing tool is a failure where CI=true, and so is a
 * folder that is named and not there. `*.vulkan.test.ts` need a driver of Vulkan: Debian's packages `chromium` and
 * `libvulkan1` bring one, or `SCRIBE_TEST_VULKAN` names its description. `*.history.test.ts` run an earlier commit's code, which a shallow clone does not have.
 * `*.bucket.test.ts` belong to `npm run storage:check`. Returns jest path patterns of what is left out.
 */
export function selectTests(env = process.env) {
  const leftOut = [];
  const missing = TOOLS.filter((tool) => !onPath(tool));
  if (missing.length > 0) {
    if (env.CI === "true" && isJest) throw new Error(`These tools are needed where CI=true: ${missing.join(", ")}`);
    say(`Suites that need tools are not selected (missing: ${missing.join(", ")}).`);
    leftOut.push("\\.tools\\.test\\.ts$");
  }
  for (const [name, kind, what] of [
    ["SCRIBE_TEST_AUDIO", "audio", "recordings"],
    ["SCRIBE_TEST_MODELS", "models", "larger models"],
  ]) {
    const folder = env[name];
    if (folder && existsSync(folder)) continue;
    if (folder && isJest) throw new Error(`${name} names ${folder}, which is not there.`);
    say(`Suites on ${what} are not selected (${name} is not set).`);
    leftOut.push(`\\.${kind}\\.test\\.ts$`);
  }
  const driver = env.SCRIBE_TEST_VULKAN ?? VULKAN_DRIVER;
  if (!existsSync(driver) || !VULKAN_LOADERS.some((path) => existsSync(path))) {
    if (env.SCRIBE_TEST_VULKAN && isJest)
      throw new Error(`SCRIBE_TEST_VULKAN names ${driver}: it or libvulkan1 is not there.`);
    say("Suites on WebGPU are not selected (there is no driver of Vulkan).");
    leftOut.push("\\.vulkan\\.test\\.ts$");
  }
  if (isJest && versionBefore() === null) {
    say("The suite on upgrades is not selected (this clone has no history of the version before).");
    leftOut.push("\\.history\\.test\\.ts$");
  }
  if (!env.SCRIBE_TEST_BUCKET) leftOut.push("\\.bucket\\.test\\.ts$");
  return leftOut;
}

// Other tools read jest's configuration too, and jest itself reads it in every worker: only the run itself speaks.
const isJest = basename(process.argv[1] ?? "").startsWith("jest") && !process.env.JEST_WORKER_ID;

function say(line) {
  if (isJest) process.stderr.write(`${line}\n`);
}
