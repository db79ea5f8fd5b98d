import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ROWS } from "../src/rows.ts";
import { openStage, type Stage } from "../src/stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
}, 120_000);
afterAll(() => stage.close(), 60_000);

const short = ROWS.filter(({ hour }) => !hour).map((row) => [`${row.client}: ${row.feature}`, row] as const);

test.each(short)("%s", async (_name, row) => {
  await expect(row.run(stage)).resolves.toBeUndefined();
});
