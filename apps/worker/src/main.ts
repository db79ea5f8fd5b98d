import { readFileSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { readConfig } from "@scribe/config";
import { changeLevelBySignal, createLogger, type Logger } from "@scribe/telemetry";
import { armFailPoints } from "./fail-point.ts";
import { startWorker } from "./start-worker.ts";
import { sweepMemory } from "./sweep-memory.ts";

export { type RunningWorker, startWorker, type WorkerOptions } from "./start-worker.ts";

/** Beyond the grace: handing back, closing connections. Whatever still hangs then is left to the lease. */
const FORCED_END_MS = 15_000;

/** The worker as a process: reads the environment once, ends with the first signal, and at once with the second. */
export async function runWorker(env: NodeJS.ProcessEnv): Promise<void> {
  const { config, warnings } = readConfig(env);
  const log = createLogger({ level: config.logging.LOG_LEVEL, format: config.logging.LOG_FORMAT, name: "worker" });
  for (const warning of warnings) log.warn(warning);
  // From the first moment: a signal that comes while the worker starts must not cut off a job that it has just claimed.
  const signals = listenForSignals(log);
  changeLevelBySignal(log);
  try {
    const worker = await startWorker({
      config,
      log,
      version: readVersion(),
      production: env.NODE_ENV === "production",
      fail: armFailPoints(env.SCRIBE_FAILPOINTS),
    });
    // Kept now, for whoever starts after a worker that was killed.
    flushCompileCache();
    const stopSweeping = sweepMemory();
    await signals.first;
    stopSweeping();
    const graceSeconds = config.jobs.SHUTDOWN_GRACE_SECONDS;
    const deadline = setTimeout(() => endLate(log), graceSeconds * 1000 + FORCED_END_MS);
    await worker.stop(graceSeconds, signals.second);
    clearTimeout(deadline);
  } finally {
    signals.close();
  }
}

/** The first signal is a wish, the second ends the grace, the third the process. */
function listenForSignals(log: Logger) {
  const force = new AbortController();
  let count = 0;
  let tellFirst = () => {};
  const first = new Promise<void>((resolve) => {
    tellFirst = resolve;
  });
  const onSignal = (signal: NodeJS.Signals) => {
    count += 1;
    log.info({ signal }, count === 1 ? "shutting down; work goes on for a while" : "shutting down at once");
    tellFirst();
    if (count === 2) force.abort();
    if (count > 2) process.exit(1);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  const close = () => {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  };
  return { first, second: force.signal, close };
}

function endLate(log: Logger): never {
  log.error("shutting down took too long");
  process.exit(1);
}

function readVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return manifest.version;
}

if (import.meta.main) {
  runWorker(process.env).then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    },
  );
}
