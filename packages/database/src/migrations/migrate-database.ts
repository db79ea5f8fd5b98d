import { Client } from "pg";
import { withSchemaEngine } from "./load-schema-engine.ts";
import { readDatamodel, readMigrations } from "./read-migrations.ts";

/** Any number that nothing else of ours locks: replicas that start together wait for each other here. */
const MIGRATION_LOCK = 7_305_812_264_001n;

/** What the engine must not take for drift: tables of the queue, which live in a schema of their own. */
const FILTERS = { externalTables: [], externalEnums: [] };

/**
 * Applies the migrations that the database lacks, under a session lock, so that any number of replicas may start at
 * once. Needs a direct connection (a pooler breaks session locks).
 *
 * @returns the names that were applied, none where the database was up to date
 */
export async function migrateDatabase({ url }: { url: string }): Promise<{ applied: string[] }> {
  return await underLock(url, () =>
    withSchemaEngine(url, readDatamodel(), async (engine) => {
      const { appliedMigrationNames } = await engine.applyMigrations({
        migrationsList: readMigrations(),
        filters: FILTERS,
      });
      return { applied: appliedMigrationNames };
    }),
  );
}

export interface MigrationStatus {
  applied: string[];
  pending: string[];
  /** What differs between the tables and the schema, as SQL that would mend it; null where nothing does. */
  drift: string | null;
}

/** Compares the database with the migrations and the schema; changes nothing. */
export async function migrationStatus({ url }: { url: string }): Promise<MigrationStatus> {
  const datamodel = readDatamodel();
  return await withSchemaEngine(url, datamodel, async (engine) => {
    const migrationsList = readMigrations();
    const names = migrationsList.migrationDirectories.map(({ path }) => path);
    const { history, hasMigrationsTable } = await engine.diagnoseMigrationHistory({
      migrationsList,
      optInToShadowDatabase: false,
      filters: FILTERS,
    });
    const unapplied = history && "unappliedMigrationNames" in history ? history.unappliedMigrationNames : [];
    const pending = hasMigrationsTable ? unapplied : names;
    const applied = names.filter((name) => !pending.includes(name));
    if (pending.length > 0) return { applied, pending, drift: null };

    const files = [{ path: "schema.prisma", content: datamodel }];
    const { stdout } = await engine.diff({
      from: { tag: "schemaDatasource", files, configDir: "." },
      to: { tag: "schemaDatamodel", files },
      script: true,
      exitCode: null,
      filters: FILTERS,
    });
    return { applied, pending, drift: withoutPartialIndexes(stdout ?? "") };
  });
}

/** Indexes with a condition are beyond the schema language, so Prisma would drop them; that is no drift. */
function withoutPartialIndexes(script: string): string | null {
  const own = readMigrations().migrationDirectories.flatMap(({ migrationFile }) =>
    [...migrationFile.content.value.matchAll(/^CREATE (?:UNIQUE )?INDEX "(\w+)".* WHERE /gm)].map((match) => match[1]),
  );
  const changes = script
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("--"))
    .filter((line) => !own.some((name) => line === `DROP INDEX "${name}";`))
    .join("\n");
  return changes === "" ? null : changes;
}

async function underLock<T>(url: string, work: () => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: "scribe-migrations" });
  // The engine's connections tell of a server that goes away; this one's word, unheard, would end the process.
  client.on("error", () => undefined);
  await client.connect();
  try {
    await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
    return await work();
  } finally {
    await client.end();
  }
}
