import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { startProcess } from "@scribe/testing";
import { snippet, snippetCases } from "./snippets.ts";

test("the guide's check for Node tells good deliveries from bad", async () => {
  const folder = mkdtempSync(join(tmpdir(), "scribe-snippet-"));
  const cases = snippetCases();
  const ask = `const cases = ${JSON.stringify(cases)};
    console.log(JSON.stringify(cases.map((c) => verifyWebhook(Buffer.from(c.body), c.headers, c.secret))));`;
  writeFileSync(join(folder, "verify.mjs"), `${snippet("js")}\n${ask}\n`);
  const run = startProcess(join(folder, "verify.mjs"));
  await run.exit;
  rmSync(folder, { recursive: true });
  expect(JSON.parse(run.stdout())).toEqual(cases.map(({ expected }) => expected));
});
