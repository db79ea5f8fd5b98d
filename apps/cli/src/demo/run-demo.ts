import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { generateWebhookSecret } from "@scribe/webhooks";
import type { AcceptedJob, Client, JobView } from "../client/scribe-client.ts";
import { getTranscript, submitFile, submitUrl } from "../client/scribe-client.ts";
import { type Screen, showProgress } from "../client/show-progress.ts";
import { type Stack, startStack } from "../stack/start-stack.ts";
import { demoEnvironment } from "./demo-environment.ts";
import { receiveWebhooks, type WebhookReceiver } from "./receive-webhooks.ts";
import { serveFile } from "./serve-file.ts";
import { wordErrors } from "./word-error-rate.ts";

const SAMPLE = resolve(import.meta.dirname, "../../../../models/sample/dialogue");
const WEBHOOK_TIMEOUT_MS = 30_000;

/** What `demo --json` prints. */
export interface DemoReport {
  duration_seconds: number;
  real_time_factor: number;
  word_error_rate: number;
  text: string;
  jobs: { source: string; job_id: string; seconds: number }[];
}

/** The main path, end to end, each step checked. Whatever fails ends it with an error; nothing is left running. */
export async function runDemo(env: NodeJS.ProcessEnv, screen: Screen, signal: AbortSignal): Promise<DemoReport> {
  const say = (line = "") => screen.write(`${line}\n`);
  const stackEnv = demoEnvironment(env);
  const logFile = join(resolve(stackEnv.SCRIBE_DATA_DIR!), "stack.log");
  mkdirSync(resolve(stackEnv.SCRIBE_DATA_DIR!), { recursive: true });
  const logs = openSync(logFile, "w");
  const closers: (() => Promise<void>)[] = [];
  try {
    say("Starting Postgres, API and worker …");
    const startedAt = performance.now();
    const stack = await startStack({ env: stackEnv, output: logs, log: (line) => say(`  ${line}`), signal });
    closers.push(() => stack.stop());
    say(`  up at ${stack.url} after ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
    const secret = generateWebhookSecret();
    const receiver = await receiveWebhooks(secret);
    closers.push(() => receiver.close());
    const files = await serveFile(`${SAMPLE}.wav`);
    closers.push(() => files.close());

    const client: Client = { url: stack.url, key: keyOf(stack), signal };
    // Both times, and each time that it runs, the sample is to be heard.
    const fields = { webhook_url: receiver.url, webhook_secret: secret, cache: false };
    say("1. The sample, as an upload");
    const upload = await follow(client, await submitFile(client, `${SAMPLE}.wav`, fields), receiver, screen);
    say("2. The sample, by its address");
    const byUrl = await follow(client, await submitUrl(client, files.url, fields), receiver, screen);
    const report = await tell(client, [upload, byUrl], say);
    return report;
  } catch (error) {
    if (!signal.aborted) say(`\nThe demo failed. What API and worker logged: ${relative(".", logFile)}`);
    throw error;
  } finally {
    for (const close of closers.reverse()) await close();
    closeSync(logs);
  }
}

function keyOf({ key }: Stack): string {
  if (key === null) throw new Error("The demo's stack has no key.");
  return key.key;
}

interface Followed {
  job: JobView;
  /** From the call that submitted it to the end. */
  seconds: number;
}

/** Follows one job to its end, then takes its webhook. */
async function follow(
  client: Client,
  accepted: AcceptedJob,
  receiver: WebhookReceiver,
  screen: Screen,
): Promise<Followed> {
  screen.write(`  202 Accepted, job ${accepted.job_id}\n`);
  const { job, segments } = await showProgress(client, accepted.job_id, screen);
  if (job.status !== "completed") {
    throw new Error(`The job ${job.status}: ${job.error?.code ?? ""} ${job.error?.message ?? "no reason given"}`);
  }
  if (segments.length === 0) throw new Error("No segment came over the event stream.");
  const webhook = await receiver.waitFor(job.job_id, WEBHOOK_TIMEOUT_MS, client.signal);
  if (webhook.type !== "job.completed" || webhook.data.result?.text !== job.result?.text) {
    throw new Error(`The webhook says ${webhook.type}, and not what the job's result says.`);
  }
  screen.write("  webhook job.completed received, signature verified\n\n");
  return { job, seconds: (Date.parse(job.completed_at!) - Date.parse(job.created_at)) / 1000 };
}

async function tell(client: Client, runs: [Followed, Followed], say: (line?: string) => void): Promise<DemoReport> {
  const [{ job, seconds }, second] = runs;
  const text = job.result?.text ?? "";
  const duration = job.duration ?? 0;
  const spoken = readFileSync(`${SAMPLE}.txt`, "utf8");
  const errors = wordErrors(spoken, text);
  say(`Transcript\n\n${wrap(text)}\n`);
  say(`SRT\n\n${(await getTranscript(client, job.job_id, "srt")).trim()}\n`);
  const both = text === second.job.result?.text ? "the same text both times" : "the two runs differ in their text";
  say(`Model             ${job.model} (${both})`);
  say(
    `Real-time factor  ${(seconds / duration).toFixed(3)} (${duration.toFixed(1)} s of audio in ${seconds.toFixed(2)} s,`,
  );
  say(`                  from submit to result; as URL ${second.seconds.toFixed(2)} s)`);
  const wrong = errors.substitutions + errors.insertions + errors.deletions;
  say(
    `Word error rate   ${(errors.rate * 100).toFixed(1)} % (${wrong} of ${errors.words} words: ${errors.substitutions} other,`,
  );
  say(`                  ${errors.deletions} missing, ${errors.insertions} added; case and punctuation not counted)`);
  say(NEXT);
  return {
    duration_seconds: duration,
    real_time_factor: seconds / duration,
    word_error_rate: errors.rate,
    text,
    jobs: [
      { source: "upload", job_id: job.job_id, seconds },
      { source: "url", job_id: second.job.job_id, seconds: second.seconds },
    ],
  };
}

const NEXT = `
The bundled model is a toy that fits into a repository: it shows the path, not what a real model hears.

Next
  npm start                                 keep the stack running; prints an address, a key and a curl line
  npm run scribe -- transcribe FILE         send it a recording of yours
  http://127.0.0.1:8080/docs                every route, once it runs
  README.md, docs/                          settings, architecture, operation`;

/** Lines of at most 100 characters, indented. */
function wrap(text: string): string {
  return text.replace(/(.{1,98})(?:\s+|$)/g, "  $1\n").trimEnd();
}
