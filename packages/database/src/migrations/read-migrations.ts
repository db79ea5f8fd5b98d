import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PRISMA_FOLDER = join(import.meta.dirname, "../../../../prisma");

/** The text of `prisma/schema.prisma`. */
export function readDatamodel(): string {
  return readFileSync(join(PRISMA_FOLDER, "schema.prisma"), "utf8");
}

/** The ordinary Prisma migration folders, in the form that the schema engine takes. */
export function readMigrations() {
  const baseDir = join(PRISMA_FOLDER, "migrations");
  const names = readdirSync(baseDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return {
    baseDir,
    lockfile: { path: "migration_lock.toml", content: readFileSync(join(baseDir, "migration_lock.toml"), "utf8") },
    shadowDbInitScript: "",
    migrationDirectories: names.map((path) => ({
      path,
      migrationFile: {
        path: "migration.sql",
        content: { tag: "ok" as const, value: readFileSync(join(baseDir, path, "migration.sql"), "utf8") },
      },
    })),
  };
}
