import { migrationStatus } from "@scribe/database";
import { type Finding, ok, warning, wrong } from "./finding.ts";

/** Whether the database is as this version wants it. */
export async function examineMigrations(url: string, look = migrationStatus): Promise<Finding> {
  try {
    const { pending, drift } = await look({ url });
    if (pending.length === 0 && drift === null) return ok("migrations", "all are applied");
    const says = pending.length > 0 ? `${pending.length} are pending` : "the schema has drifted";
    return wrong("migrations", says, "npm run db:migrate && npm run db:status");
  } catch (error) {
    // An image may leave out migrations and what reads them.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return warning("migrations", "not looked at: they are not here", "npm run db:status   # in the API's image");
  }
}
