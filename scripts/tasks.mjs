import { availableParallelism } from "node:os";
import { join } from "node:path";
import { root } from "./setup/places.mjs";

/**
 * What a task runs, one after the other while each ends with 0: `file` under Node 24 with `args`. `dotEnv`: the settings
 * of `.env` hold, where the environment does not say otherwise.
 */
const app =
  (file, ...fixed) =>
  (args) => [{ file: join(root, file), args: [...fixed, ...args], dotEnv: true }];

/** As `app`, but untouched by `.env`: these bring their own surroundings. */
const apart =
  (file, ...fixed) =>
  (args) => [{ file: join(root, file), args: [...fixed, ...args] }];

const tool = (file, args, title) => ({ file: join(root, "node_modules", file), args, title });

const types = (args = []) => tool("typescript/bin/tsc", ["-b", ...args], "Types");
const biome = (command, args, title) => tool("@biomejs/biome/bin/biome", [command, ...args], title);
const deadCode = () => tool("knip/bin/knip.js", ["--no-progress"], "Dead code");

// The tests of one file wait more than they compute; below two workers a slow file would hold up all others.
const workers = Math.min(8, Math.max(2, availableParallelism()));

function test(args) {
  const jest = tool("jest/bin/jest.js", [`--maxWorkers=${workers}`, ...args]);
  return [{ ...jest, nodeArgs: ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"] }];
}

export const tasks = {
  setup: () => [],
  demo: apart("apps/cli/src/main.ts", "demo"),
  start: app("apps/cli/src/main.ts", "up"),
  "start:api": app("apps/api/src/main.ts"),
  "start:worker": app("apps/worker/src/main.ts"),
  keys: app("apps/cli/src/main.ts", "keys"),
  models: app("apps/cli/src/main.ts", "models"),
  scribe: app("apps/cli/src/main.ts"),
  doctor: app("apps/cli/src/main.ts", "doctor"),
  "db:migrate": app("apps/cli/src/main.ts", "db", "migrate"),
  "db:status": app("apps/cli/src/main.ts", "db", "status"),
  "storage:check": app("scripts/storage-check.ts"),
  openapi: apart("apps/api/src/print-openapi.ts"),
  generate: apart("scripts/generate.ts"),
  bench: apart("bench/src/main.ts"),
  chaos: apart("chaos/src/main.ts"),
  compat: apart("compat/src/main.ts"),
  sbom: apart("scripts/write-sbom.mjs"),
  audit: apart("scripts/audit-packages.mjs"),
  security: apart("security/src/main.ts"),
  test,
  types: (args) => [types(args)],
  lint: (args) => [biome("lint", args.length > 0 ? args : ["."])],
  format: (args) => [biome("format", ["--write", ...(args.length > 0 ? args : ["."])])],
  check: () => [types(), biome("check", ["--error-on-warnings", "."], "Lint and format"), deadCode()],
};
