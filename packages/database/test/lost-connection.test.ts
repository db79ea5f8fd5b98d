import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { freePort } from "@scribe/testing";
import { ensureTenant, isDatabaseUnavailable, openDatabase } from "../src/index.ts";
import { inTransaction } from "../src/open-database.ts";
import { type DatabaseBench, openBench } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench({ poolSize: 2 });
});
afterAll(() => bench.close());

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error) => error,
  );
const END_OF_OTHERS =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

describe("a connection that is lost", () => {
  test("inside a transaction fails that transaction alone", async () => {
    for (let i = 0; i < 5; i++) {
      const error = await errorOf(
        inTransaction(bench.db, async (client) => {
          // Between two statements, when nobody waits for an answer that could carry the news.
          await bench.sql(END_OF_OTHERS);
          await new Promise((resolve) => setTimeout(resolve, 20));
          await client.query("SELECT 1");
        }),
      );
      expect(isDatabaseUnavailable(error)).toBe(true);
    }
    expect(await bench.sql("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("while idle is replaced without a word", async () => {
    await Promise.all([bench.sql("SELECT pg_sleep(0.01)"), bench.sql("SELECT pg_sleep(0.01)")]);
    await bench.sql(END_OF_OTHERS);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await Promise.all([bench.sql("SELECT 1"), bench.sql("SELECT 1")]);
  });
});

test("what a transaction throws rolls it back, and the connection is used again", async () => {
  const failing = inTransaction(bench.db, async (client) => {
    await client.query("UPDATE tenants SET name = 'renamed'");
    throw new Error("on second thoughts");
  });
  await expect(failing).rejects.toThrow("on second thoughts");
  expect(await bench.sql("SELECT name FROM tenants")).toEqual([{ name: "default" }]);
});

describe("a database that is away", () => {
  test("is known as such, whoever asks", async () => {
    const url = `postgres://nobody@127.0.0.1:${await freePort()}/none`;
    const db = openDatabase({ url, poolSize: 2, encryptionKey: randomBytes(32), applicationName: "test" });
    expect(isDatabaseUnavailable(await errorOf(db.pool.query("SELECT 1")))).toBe(true);
    expect(isDatabaseUnavailable(await errorOf(ensureTenant(db, "t")))).toBe(true);
    await db.close();
    expect(isDatabaseUnavailable(await errorOf(db.pool.query("SELECT 1")))).toBe(true);
  });

  test("is told from what waiting cannot cure", async () => {
    for (const statement of ["SELEKT 1", "SELECT * FROM nowhere", "SELECT 1 / 0"]) {
      expect(isDatabaseUnavailable(await errorOf(bench.sql(statement)))).toBe(false);
    }
    expect(isDatabaseUnavailable(new Error("no", { cause: new Error("neither") }))).toBe(false);
    expect(
      isDatabaseUnavailable(new Error("x", { cause: Object.assign(new Error("y"), { code: "ECONNRESET" }) })),
    ).toBe(true);
    const both = Object.assign(new Error("all failed"), {
      errors: [Object.assign(new Error("v6"), { code: "ECONNREFUSED" })],
    });
    expect(isDatabaseUnavailable(both)).toBe(true);
    expect(isDatabaseUnavailable("ECONNREFUSED")).toBe(false);
  });
});
