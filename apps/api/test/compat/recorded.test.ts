import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createKey, ensureTenant } from "@scribe/database";
import { startTestApi, type TestApi } from "../start-test-api.ts";
import { type Recording, replay } from "./replay.ts";

const FOLDER = join(import.meta.dirname, "recorded");
const recordings = readdirSync(FOLDER).map(
  (name) => [name, JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as Recording] as const,
);

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ ACCOUNTS: "on", JWT_SECRET: "x".repeat(32) });
}, 60_000);
afterAll(() => api.stop());

describe("what callers of older services say is answered as they know it", () => {
  test.each(recordings)("%s", async (name, { source, profile, exchanges }) => {
    expect(source.length).toBeGreaterThan(50);
    const { id: tenantId } = await ensureTenant(api.db, name);
    const { key } = await createKey(api.db, {
      tenantId,
      name: "recorded",
      scopes: ["transcribe"],
      ...(profile && { profile }),
    });
    const say = replay(api, key);
    for (const exchange of exchanges) await say(exchange);
  });
});
