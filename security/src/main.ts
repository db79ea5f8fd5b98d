// `npm run security` runs all attacks, `-- --only NAME,NAME` some, `-- --short` a few of each kind, `-- --seed N` others;
// `-- --log FILE` keeps what the stack logged.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Attack } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";
import { openStage, type Stage } from "./stage/open-stage.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    short: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    log: { type: "string" },
    list: { type: "boolean", default: false },
  },
});

const log = (line: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);

async function main(): Promise<number> {
  if (values.list) {
    for (const { name, what } of ATTACKS) console.log(`${name.padEnd(12)} ${what}`);
    return 0;
  }
  const wanted = values.only?.split(",");
  const unknown = wanted?.filter((name) => !ATTACKS.some((attack) => attack.name === name)) ?? [];
  if (unknown.length > 0) {
    console.error(`No such attack: ${unknown.join(", ")}. There are: ${ATTACKS.map(({ name }) => name).join(", ")}.`);
    return 2;
  }
  const stage = await openStage({ short: values.short, seed: Number(values.seed), log });
  const rows: string[] = [];
  let held = true;
  try {
    for (const attack of ATTACKS) {
      if (wanted && !wanted.includes(attack.name)) continue;
      const { line, broken } = await run(attack, stage);
      rows.push(line);
      held &&= broken.length === 0;
      for (const each of broken) console.error(`  BROKEN ${attack.name}: ${each}`);
    }
  } finally {
    if (values.log) writeFileSync(values.log, stage.stack.process.output());
    await stage.close();
  }
  console.log(["| attack | count | must hold | seen | held | s |", "|---|---:|---|---|---|---:|", ...rows].join("\n"));
  return held ? 0 : 1;
}

async function run(attack: Attack, stage: Stage): Promise<{ line: string; broken: string[] }> {
  log(attack.what);
  const startedAt = performance.now();
  const { count, seen, broken } = await attack.run(stage).catch((error: Error) => ({
    ...{ count: 0, seen: "the attack itself failed", broken: [String(error.stack)] },
  }));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  const cells = [
    attack.what,
    count.toLocaleString("en"),
    attack.mustHold,
    seen,
    broken.length === 0 ? "yes" : "**no**",
    seconds,
  ];
  return { line: `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`, broken };
}

// The schema engine leaves a timer behind.
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
