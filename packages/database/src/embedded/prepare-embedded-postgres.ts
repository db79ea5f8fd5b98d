// Run by set-up, so that the first start finds everything in its place and a machine that cannot run Postgres is told so.
import { resolve } from "node:path";
import { chooseAccount } from "./choose-account.ts";
import { findBinaries } from "./find-binaries.ts";

const nothingYet = resolve(import.meta.dirname, "no-cluster");
try {
  console.log(findBinaries(chooseAccount(nothingYet)));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
