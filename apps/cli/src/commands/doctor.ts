import { ConfigError, readConfig } from "@scribe/config";
import type { Command } from "commander";
import { examine } from "../doctor/examine.ts";
import { type Finding, warning, wrong } from "../doctor/finding.ts";

const SIGNS = { ok: "ok     ", warning: "warning", wrong: "WRONG  " } as const;

export function doctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("look at everything that this configuration needs, and say how to mend what is wrong")
    .option("--webhook <url>", "also try to reach this receiver")
    .action(async (options: { webhook?: string }, command: Command) => {
      const findings = await diagnose(process.env, options);
      if (command.optsWithGlobals<{ json?: boolean }>().json) console.log(JSON.stringify({ findings }));
      else for (const finding of findings) show(finding);
      const count = findings.filter(({ state }) => state === "wrong").length;
      if (count > 0) throw new Error(count === 1 ? "One thing is wrong." : `${count} things are wrong.`);
    });
}

async function diagnose(env: NodeJS.ProcessEnv, options: { webhook?: string }): Promise<Finding[]> {
  try {
    const { config, warnings } = readConfig(env);
    const unknown = warnings.map((says) => warning("configuration", says, "see the table of settings in README.md"));
    return [...unknown, ...(await examine(config, options))];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((says) => wrong("configuration", says, "see the table of settings in README.md"));
  }
}

function show({ state, about, says, mend }: Finding): void {
  console.log(`${SIGNS[state]}  ${about.padEnd(14)}  ${says}`);
  if (mend !== undefined) console.log(`${" ".repeat(25)}→ ${mend}`);
}
