import { readConfig } from "@scribe/config";
import { type Database, migrateDatabase } from "@scribe/database";
import { type Reach, reachDatabase } from "../stack/reach-database.ts";

/** Runs `work` with a way to the database that the environment means, and lets go of it after. */
export async function withReach<T>(work: (reach: Reach) => Promise<T>): Promise<T> {
  const { config, warnings } = readConfig(process.env);
  for (const warning of warnings) console.error(warning);
  const reach = await reachDatabase(config, () => {});
  try {
    return await work(reach);
  } finally {
    await reach.stop();
  }
}

/** The same with the database open. The embedded one is migrated first: nobody else would do it. */
export async function withDatabase<T>(work: (db: Database) => Promise<T>): Promise<T> {
  return withReach(async (reach) => {
    if (reach.embedded) await migrateDatabase({ url: reach.directUrl });
    const db = reach.open();
    try {
      return await work(db);
    } finally {
      await db.close();
    }
  });
}
