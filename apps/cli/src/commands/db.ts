import { migrateDatabase, migrationStatus } from "@scribe/database";
import type { Command } from "commander";
import { withReach } from "./command-database.ts";

export function dbCommand(program: Command): void {
  const db = program.command("db").description("the database's migrations");
  db.command("migrate")
    .description("apply what is pending; several at once wait for one another")
    .action(async (_options, command: Command) => {
      const { applied } = await withReach((reach) => migrateDatabase({ url: reach.directUrl }));
      if (command.optsWithGlobals().json) return console.log(JSON.stringify({ applied }));
      for (const name of applied) console.log(`applied  ${name}`);
      if (applied.length === 0) console.log("Nothing was pending.");
    });
  db.command("status")
    .description("what is applied, what is pending, whether the schema drifted; exits 1 unless all is well")
    .action(async (_options, command: Command) => {
      const status = await withReach((reach) => migrationStatus({ url: reach.directUrl }));
      const well = status.pending.length === 0 && status.drift === null;
      if (command.optsWithGlobals().json) console.log(JSON.stringify({ ...status, up_to_date: well }));
      else {
        for (const name of status.applied) console.log(`applied  ${name}`);
        for (const name of status.pending) console.log(`pending  ${name}`);
        if (status.drift !== null) console.log(`\nThe schema is not what the migrations make of it:\n${status.drift}`);
        if (well) console.log("The database is up to date.");
      }
      if (!well) throw new Error("The database is not up to date.");
    });
}
