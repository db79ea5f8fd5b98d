// `npm run compat` runs every client; `-- --client openai,deepgram` some, `-- --hour` also recordings of sixty minutes.
import { parseArgs } from "node:util";
import { ROWS } from "./rows.ts";
import { runRows } from "./run-rows.ts";
import { openStage } from "./stage.ts";

const { values } = parseArgs({ options: { client: { type: "string" }, hour: { type: "boolean", default: false } } });

async function main(): Promise<number> {
  const wanted = values.client?.split(",");
  const rows = ROWS.filter(
    ({ client, hour }) => (values.hour || !hour) && (!wanted || wanted.some((name) => client.startsWith(name))),
  );
  if (rows.length === 0) {
    console.error(`No such client. There are: ${[...new Set(ROWS.map(({ client }) => client))].join(", ")}.`);
    return 2;
  }
  const stage = await openStage();
  try {
    const results = await runRows(stage, rows, (line) => console.error(line));
    console.log("| client | feature | holds | s |\n|---|---|---|---:|");
    for (const { client, feature, failure, seconds } of results) {
      console.log(
        `| ${client} | ${feature} | ${failure === null ? "yes" : `no: ${failure}`} | ${seconds.toFixed(1)} |`,
      );
    }
    return results.every(({ failure }) => failure === null) ? 0 : 1;
  } finally {
    await stage.close();
  }
}

// The schema engine leaves a timer behind.
process.exit(await main());
