import { resolve } from "node:path";
import type { Command } from "commander";
import { chooseStartModel } from "../models/choose-start-model.ts";
import { type Stack, startStack } from "../stack/start-stack.ts";
import { untilSignal } from "../stack/until-signal.ts";

const STANDARD_ERROR = 2;
const SAMPLE = resolve(import.meta.dirname, "../../../../models/sample/dialogue.wav");
/** A stop on one's own machine should not take long; what is under way goes on from its checkpoint at the next start. */
const GRACE_SECONDS = "5";

const HELP = `
Starts Postgres (embedded, where DATABASE_URL is not set), applies migrations, makes a first API key, and runs the API and
a worker until Ctrl-C. A part that dies is started again. The parts log to standard error.

With the embedded Postgres the API listens on 127.0.0.1 only. With DATABASE_URL (and SCRIBE_ENCRYPTION_KEY), and REDIS_URL
for the queues, your own servers are used.

Where SCRIBE_MODEL is not set, a Whisper is taken from Hugging Face if that answers within seconds, and fetched in the
background; else the small bundled model, with a warning. HF_HUB_OFFLINE=1 asks nobody.`;

export function upCommand(program: Command): void {
  program
    .command("up")
    .description("run the whole stack until Ctrl-C (this is `npm start`)")
    .option("-p, --port <port>", "port of the API; 0 takes a free one (sets PORT)")
    .option("--data-dir <folder>", "where the embedded database, keys and files lie (sets SCRIBE_DATA_DIR)")
    .addHelpText("after", HELP)
    .action(async (_options, command: Command) => {
      const { json, port, dataDir } = command.optsWithGlobals<{ json?: boolean; port?: string; dataDir?: string }>();
      const env: NodeJS.ProcessEnv = { SHUTDOWN_GRACE_SECONDS: GRACE_SECONDS, ...process.env };
      if (port !== undefined) env.PORT = port;
      if (dataDir !== undefined) env.SCRIBE_DATA_DIR = dataDir;
      if (process.stderr.isTTY) env.LOG_FORMAT ||= "pretty";
      await up(env, json === true);
    });
}

async function up(env: NodeJS.ProcessEnv, json: boolean): Promise<void> {
  const startedAt = performance.now();
  let stack: Stack | undefined;
  const stop = untilSignal(() => stack?.hurry());
  const log = (line: string) => console.error(line);
  try {
    stack = await startStack({
      env,
      output: STANDARD_ERROR,
      log,
      signal: stop.signal,
      chosen: chooseStartModel(env, log),
    });
    const seconds = (performance.now() - startedAt) / 1000;
    console.log(json ? readyLine(stack) : welcome(stack, seconds));
    await stop.came;
    log("Stopping.");
    await stack.stop();
  } finally {
    stop.dispose();
  }
}

function readyLine({ url, workerUrl, key, embedded, dataDir }: Stack): string {
  return JSON.stringify({
    ready: true,
    url,
    worker_url: workerUrl,
    key: key?.key ?? null,
    embedded,
    data_dir: dataDir,
  });
}

function welcome(stack: Stack, seconds: number): string {
  const { url, key } = stack;
  const shown = key?.key ?? "$SCRIBE_KEY";
  return `
Scribe Rabbit is up (${seconds.toFixed(1)} s).

  API     ${url}
  docs    ${url}/docs
${keyLines(stack)}
Transcribe the sample:

  curl -s ${url}/api/v1/transcribe/upload -H 'Authorization: Bearer ${shown}' -F file=@${quote(SAMPLE)}

then, with the job_id of its answer:

  curl -s '${url}/api/v1/jobs/JOB_ID/transcript?format=srt' -H 'Authorization: Bearer ${shown}'

Ctrl-C stops everything.
`.replaceAll("'Authorization: Bearer $SCRIBE_KEY'", '"Authorization: Bearer $SCRIBE_KEY"');
}

function keyLines({ key, embedded, dataDir }: Stack): string {
  const another = "another: npm run keys -- create --name NAME --scopes transcribe";
  if (key === null) return `  key     put one of yours into $SCRIBE_KEY; ${another}\n`;
  const kept = embedded ? `kept in ${dataDir}/local-key` : "shown this once, kept nowhere";
  return `  key     ${key.key}\n          (all scopes; ${kept}; ${another})\n`;
}

/** For a shell: bare where that is safe. */
function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
