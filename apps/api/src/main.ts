import { readConfig } from "@scribe/config";
import { changeLevelBySignal, createLogger, type Logger } from "@scribe/telemetry";
import { type RunningApi, startApi } from "./start-api.ts";

export { type RunningApi, type StartApiOptions, startApi } from "./start-api.ts";

/** Beyond the grace: closing connections. Whatever still hangs then is cut by the exit. */
const FORCED_END_MS = 15_000;

/** The API as a process: reads the environment once, and ends with the first signal, at once with the second. */
export async function runApi(env: NodeJS.ProcessEnv): Promise<void> {
  const { config, warnings } = readConfig(env);
  const log = createLogger({ level: config.logging.LOG_LEVEL, format: config.logging.LOG_FORMAT, name: "api" });
  for (const warning of warnings) log.warn(warning);
  changeLevelBySignal(log);
  const told = listenForSignals(log);
  const api = await startApi({ config, log, signal: told.first });
  // A signal that came while the last of it opened has been told already, and is not told again.
  if (!told.first.aborted) {
    await new Promise((resolve) => told.first.addEventListener("abort", resolve, { once: true }));
  }
  await stop(api, config.jobs.SHUTDOWN_GRACE_SECONDS, told.second, log);
}

/** The first signal asks to end, the second not to wait, the third ends us here. */
function listenForSignals(log: Logger): { first: AbortSignal; second: AbortSignal } {
  const [first, second] = [new AbortController(), new AbortController()];
  const onSignal = (signal: NodeJS.Signals) => {
    log.info({ signal }, first.signal.aborted ? "shutting down at once" : "shutting down");
    if (second.signal.aborted) process.exit(1);
    else if (first.signal.aborted) second.abort();
    else first.abort(new Error("The start was called off."));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return { first: first.signal, second: second.signal };
}

async function stop(api: RunningApi, graceSeconds: number, force: AbortSignal, log: Logger): Promise<void> {
  const tooLong = setTimeout(
    () => {
      log.error("shutting down took too long");
      process.exit(1);
    },
    graceSeconds * 1000 + FORCED_END_MS,
  );
  await api.stop(graceSeconds, force);
  clearTimeout(tooLong);
}

if (import.meta.main) {
  runApi(process.env).then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    },
  );
}
