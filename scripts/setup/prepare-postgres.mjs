import { join } from "node:path";
import { chooseNode } from "./choose-node.mjs";
import { root } from "./places.mjs";
import { runQuietly } from "./run-program.mjs";
import { say } from "./say.mjs";

/** Links the libraries of the embedded Postgres and sees that it runs, where this user may only run a copy of it too. */
export async function preparePostgres() {
  say("Preparing the embedded Postgres");
  await runQuietly(chooseNode(), [join(root, "packages/database/src/embedded/prepare-embedded-postgres.ts")]);
}
