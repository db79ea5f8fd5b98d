import { type Command, Option } from "commander";
import { findService, type ServiceOptions } from "../client/find-service.ts";
import { type Client, getTranscript, submitFile, submitUrl } from "../client/scribe-client.ts";
import { showProgress } from "../client/show-progress.ts";
import { untilSignal } from "../stack/until-signal.ts";

const HELP = `
The transcript goes to standard output, the progress to standard error. Without --url and --key the stack that \`npm start\`
runs on this machine is used.

Examples:
  npm run -s scribe -- transcribe talk.mp3
  npm run -s scribe -- transcribe https://example.org/talk.mp3 --format srt > talk.srt`;

interface Options extends ServiceOptions {
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
    .addHelpText("after", HELP)
    .action((source: string, _options, command: Command) => transcribe(source, command.optsWithGlobals<Options>()));
}

async function transcribe(source: string, options: Options): Promise<void> {
  const { model, language } = options;
  const stop = untilSignal();
  try {
    const client: Client = { ...findService(options), signal: stop.signal };
    const fields = { ...(model && { model }), ...(language && { language }) };
    const submit = /^https?:\/\//.test(source) ? submitUrl : submitFile;
    const { job_id: id } = await submit(client, source, fields);
    const { job } = await showProgress(client, id, process.stderr);
    if (job.status !== "completed")
      throw new Error(`Job ${id} ${job.status}: ${job.error?.message ?? "no reason given"}`);
    if (job.warnings?.length) console.error(job.warnings.join("\n"));
    process.stdout.write(await getTranscript(client, id, options.json ? "json" : options.format));
    if (!options.json && options.format === "text") process.stdout.write("\n");
  } finally {
    stop.dispose();
  }
}
