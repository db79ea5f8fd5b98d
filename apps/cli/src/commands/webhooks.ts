import { type Command, InvalidArgumentError } from "commander";
import { findService, type ServiceOptions } from "../client/find-service.ts";
import { call } from "../client/scribe-client.ts";
import { WrongUsage } from "../exit.ts";
import { untilSignal } from "../stack/until-signal.ts";
import { listenForWebhooks, type ReceivedWebhook } from "../webhooks/listen-for-webhooks.ts";

const HELP = `
Starts a receiver on this machine that verifies what comes and prints it, so that you see what your own receiver would.
Give its address as webhook_url. The service sends to this machine where ALLOW_PRIVATE_NETWORKS names its network
(127.0.0.0/8 for one that runs here).

Examples:
  npm run scribe -- webhooks listen
  npm run scribe -- webhooks listen --port 9000 --secret whsec_…
  npm run scribe -- webhooks listen --status 500       see how retries come`;

interface Options extends ServiceOptions {
  port: number;
  secret?: string;
  status: number;
  json?: boolean;
}

export function webhooksCommand(program: Command): void {
  const webhooks = program.command("webhooks").description("see what webhooks say");
  webhooks
    .command("listen")
    .description("receive, verify and print deliveries until Ctrl-C")
    .option("--port <port>", "of 127.0.0.1; 0 takes a free one", whole, 0)
    .option("--secret <whsec>", "what deliveries are signed with; absent: the service is asked")
    .option("--status <code>", "what to answer", whole, 204)
    .option("--url <address>", "of the service, to ask for the secret")
    .option("--key <key>", "an API key with the scope manage, to ask for the secret")
    .addHelpText("after", HELP)
    .action((_options, command: Command) => listen(command.optsWithGlobals<Options>()));
}

async function listen(options: Options): Promise<void> {
  if (options.status < 200 || options.status > 599) throw new WrongUsage("--status is a status of HTTP, 200 to 599.");
  const stop = untilSignal();
  try {
    const secrets = options.secret === undefined ? await askForSecrets(options, stop.signal) : [options.secret];
    const print = options.json ? printJson : printLines;
    const receiver = await listenForWebhooks({
      secrets,
      port: options.port,
      status: options.status,
      onReceived: print,
    });
    console.log(options.json ? JSON.stringify({ ready: true, url: receiver.url }) : `Listening: ${receiver.url}`);
    await stop.came;
    await receiver.close();
  } finally {
    stop.dispose();
  }
}

async function askForSecrets(options: Options, signal: AbortSignal): Promise<string[]> {
  const answer = await call({ ...findService(options), signal }, "GET", "/api/v1/webhooks/secret");
  const { secret, previous_secret: previous } = (await answer.json()) as { secret: string; previous_secret?: string };
  return previous === undefined ? [secret] : [secret, previous];
}

function printLines({ at, id, verdict, type, body }: ReceivedWebhook): void {
  const mark = verdict.ok ? "verified" : `NOT VERIFIED: ${verdict.reason}`;
  console.log(`\n${at.toISOString()}  ${type ?? "?"}  ${id ?? "no webhook-id"}  ${mark}`);
  console.log(body);
}

function printJson({ at, id, verdict, type, body }: ReceivedWebhook): void {
  console.log(JSON.stringify({ at, id, type, verified: verdict.ok, ...(verdict.ok ? {} : verdict), body }));
}

function whole(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError("must be a whole number.");
  return Number(text);
}
