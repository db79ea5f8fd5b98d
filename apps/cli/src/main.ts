import { ConfigError } from "@scribe/config";
import { Command, CommanderError } from "commander";
import { dbCommand } from "./commands/db.ts";
import { demoCommand } from "./commands/demo.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { keysCommand } from "./commands/keys.ts";
import { modelsCommand } from "./commands/models.ts";
import { secretsCommand } from "./commands/secrets.ts";
import { transcribeCommand } from "./commands/transcribe.ts";
import { upCommand } from "./commands/up.ts";
import { webhooksCommand } from "./commands/webhooks.ts";
import { EXIT, WrongUsage } from "./exit.ts";
import { Interrupted } from "./stack/until-signal.ts";

const EXAMPLES = `
Examples:
  npm start                                    the whole stack on this machine
  npm run demo                                 see it work, end to end
  npm run scribe -- transcribe talk.mp3        send a file to the running stack (or a private one), print the text
  npm run models -- pull owner/name            fetch a model of Hugging Face
  npm run keys -- create --name laptop --scopes transcribe
  npm run keys -- list
  npm run db:status

Settings come from the environment and from .env (see .env.example). Without DATABASE_URL a Postgres of its own runs
under SCRIBE_DATA_DIR (.scribe).

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 128+n stopped by signal n.`;

function program(): Command {
  const scribe = new Command("scribe")
    .description("Scribe Rabbit: a transcription service that you run yourself.")
    .option("--json", "machine-readable output on standard output")
    .addHelpText("after", EXAMPLES)
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .showHelpAfterError("(--help shows what there is)")
    .exitOverride();
  for (const add of [
    upCommand,
    demoCommand,
    transcribeCommand,
    keysCommand,
    dbCommand,
    doctorCommand,
    modelsCommand,
    secretsCommand,
    webhooksCommand,
  ])
    add(scribe);
  return scribe;
}

/** Runs one command line and returns the exit code. */
async function run(argv: string[]): Promise<number> {
  try {
    await program().parseAsync(argv, { from: "user" });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (error instanceof Interrupted) return error.exitCode;
    console.error(error instanceof Error ? `\n${error.message}` : error);
    if (process.env.LOG_LEVEL === "debug" && error instanceof Error) console.error(error.stack);
    return error instanceof ConfigError || error instanceof WrongUsage ? EXIT.usage : EXIT.failed;
  }
}

// The schema engine leaves the timer of its lock behind (10 s); all that matters is closed and said by now.
process.exit(await run(process.argv.slice(2)));
