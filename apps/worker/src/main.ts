import { readFileSync } from "node:fs";
import { readConfig } from "@scribe/config";
import { createLogger, type Logger } from "@scribe/telemetry";
import { armFailPoints } from "./fail-point.ts";
import { type RunningWorker, startWorker } from "./start-worker.ts";

export { type RunningWorker, startWorker, type WorkerOptions } from "./start-worker.ts";

/** Beyond the grace: handing back, closing connections. Whatever still hangs then is left to the lease. */
const FORCED_END_MS = 15_000;

/** The worker as a process: reads the environment once, and ends with the first signal, at once with the second. */
export async function runWorker(env: NodeJS.ProcessEnv): Promise<void> {
  const { config, warnings } = readConfig(env);
  const log = createLogger({ level: config.logging.LOG_LEVEL, format: config.logging.LOG_FORMAT, name: "worker" });
  for (const warning of warnings) log.warn(warning);
  const worker = await startWorker({
    config,
    log,
    version: readVersion(),
    production: env.NODE_ENV === "production",
    fail: armFailPoints(env.SCRIBE_FAILPOINTS),
  });
  await stopOnSignal(worker, config.jobs.SHUTDOWN_GRACE_SECONDS, log);
}

/** Resolves when a signal has come and everything is closed. */
function stopOnSignal(worker: RunningWorker, graceSeconds: number, log: Logger): Promise<void> {
  const force = new AbortController();
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      signals += 1;
      log.info({ signal }, signals === 1 ? "shutting down; work goes on for a while" : "shutting down at once");
      if (signals === 2) force.abort();
      if (signals > 2) process.exit(1);
      if (signals > 1) return;
      const deadline = setTimeout(
        () => {
          log.error("shutting down took too long");
          process.exit(1);
        },
        graceSeconds * 1000 + FORCED_END_MS,
      );
      void worker.stop(graceSeconds, force.signal).then(() => {
        clearTimeout(deadline);
        process.off("SIGTERM", onSignal);
        process.off("SIGINT", onSignal);
        resolve();
      });
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
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
