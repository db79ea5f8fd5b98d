import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "@jest/globals";

const folder = resolve(import.meta.dirname, "../../prisma/migrations");

/** Up to here no version ran on less than all of them. */
const FIRST_RELEASE = "20261122000001_limits";

/** Statements after which the version before could not go on. */
const CONTRACTS =
  /\b(DROP\s+(TABLE|COLUMN|TYPE|SCHEMA)|RENAME\s+(TO|COLUMN)|ALTER\s+COLUMN\s+"?\w+"?\s+(SET\s+NOT\s+NULL|(SET\s+DATA\s+)?TYPE))\b|ADD\s+COLUMN\s+(?![^,;]*DEFAULT)[^,;]*NOT\s+NULL/i;

/** A line `-- contracts: <since when nothing uses it>` says that it was thought of. */
const breaks = (sql: string) => CONTRACTS.test(sql.replace(/^--.*$/gm, "")) && !/^-- contracts: \S/m.test(sql);

test.each([
  'ALTER TABLE "jobs" DROP COLUMN "x";',
  'ALTER TABLE "jobs" RENAME COLUMN "x" TO "y";',
  'ALTER TABLE "jobs" ALTER COLUMN "x" SET NOT NULL;',
  'ALTER TABLE "jobs" ALTER COLUMN "x" SET DATA TYPE TEXT;',
  'ALTER TABLE "jobs" ADD COLUMN "x" TEXT NOT NULL;',
  'DROP TABLE "jobs";',
])("%s would break the version before", (sql) => {
  expect(breaks(sql)).toBe(true);
  expect(breaks(`-- contracts: nothing has used it since 0.2.0\n${sql}`)).toBe(false);
});

test.each([
  'ALTER TABLE "jobs" ADD COLUMN "x" TEXT;',
  'ALTER TABLE "jobs" ADD COLUMN "x" INTEGER NOT NULL DEFAULT 0;',
  'CREATE INDEX "x" ON "jobs"("x");',
  '-- DROP TABLE "jobs"\nSELECT 1;',
  'DROP INDEX "x";',
])("%s would not", (sql) => {
  expect(breaks(sql)).toBe(false);
});

test("migrations after the first release only add, or say why not", () => {
  const later = readdirSync(folder).filter((name) => /^\d/.test(name) && name > FIRST_RELEASE);
  const breaking = later.filter((name) => breaks(readFileSync(join(folder, name, "migration.sql"), "utf8")));
  expect(breaking).toEqual([]);
});
