import { statSync } from "node:fs";
import { type Command, Option } from "commander";
import { type Client, cancelJob, getTranscript, submitFile, submitUrl } from "../client/scribe-client.ts";
import { showProgress } from "../client/show-progress.ts";
import { type PrivateOptions, withService } from "../client/with-service.ts";
import { WrongUsage } from "../exit.ts";
import { untilSignal } from "../stack/until-signal.ts";

const HELP = `
The transcript goes to standard output, the progress to standard error. Without --url and --key the stack that \`npm start\`
runs on this machine is used; where none runs, a private one is started, and ends with the command (the first time this
takes a while; --private asks for one in any case). Ctrl-C cancels the job.

With --json the finished job is printed with its result, or with its error; --format json prints the transcript alone.
Exit codes: 0 transcribed, 1 the job or the service failed, 2 wrong usage, 130 stopped by Ctrl-C.

Examples:
  npm run -s scribe -- transcribe talk.mp3
  npm run -s scribe -- transcribe https://example.org/talk.mp3 --format srt > talk.srt
  npm run -s scribe -- transcribe call.wav --model whisper-large-v3-turbo --language de --format vtt
  npm run -s scribe -- transcribe talk.mp3 --url https://scribe.example.org --key sr_… --json | jq .result.text`;

interface Options extends PrivateOptions {
  format: string;
  model?: string;
  language?: string;
  json?: boolean;
}

export function transcribeCommand(program: Command): void {
  program
    .command("transcribe")
    .description("send a file or an address to a running service and print its transcript")
    .argument("<source>", "a file, or an http(s) address")
    .addOption(
      new Option("--format <format>", "of the transcript")
        .choices(["text", "json", "srt", "vtt", "tsv"])
        .default("text"),
    )
    .option("--model <name>", "one of those that the service offers")
    .option("--language <code>", "ISO 639-1; absent: detected")
    .option("--url <address>", "of the service")
    .option("--key <key>", "an API key with the scope transcribe")
    .option("--private", "start a service for this file alone, and end it")
    .addHelpText("after", HELP)
    .action((source: string, _options, command: Command) => transcribe(source, command.optsWithGlobals<Options>()));
}

async function transcribe(source: string, options: Options): Promise<void> {
  const isUrl = /^https?:\/\//.test(source);
  if (!isUrl) needFile(source);
  const stop = untilSignal();
  const say = (line: string) => console.error(line);
  try {
    await withService(options, stop.signal, say, (service) =>
      run({ ...service, signal: stop.signal }, source, options),
    );
  } finally {
    stop.dispose();
  }
}

async function run(client: Client, source: string, { model, language, format, json }: Options): Promise<void> {
  const fields = { ...(model && { model }), ...(language && { language }) };
  const submit = /^https?:\/\//.test(source) ? submitUrl : submitFile;
  const { job_id: id } = await submit(client, source, fields);
  const { job } = await showProgress(client, id, process.stderr).catch(async (error) => {
    // Nobody waits for it any more.
    if (client.signal.aborted) await cancelJob(client, id).catch(() => {});
    throw error;
  });
  if (json) console.log(JSON.stringify(job));
  if (job.status !== "completed") {
    throw new Error(`Job ${id} ${job.status}: ${job.error?.message ?? "no reason given"}`);
  }
  if (json) return;
  if (job.warnings?.length) console.error(job.warnings.join("\n"));
  process.stdout.write(await getTranscript(client, id, format));
  if (format === "text") process.stdout.write("\n");
}

function needFile(path: string): void {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (entry === undefined) throw new WrongUsage(`There is no file ${path}.`);
  if (!entry.isFile()) throw new WrongUsage(`${path} is no file.`);
}
