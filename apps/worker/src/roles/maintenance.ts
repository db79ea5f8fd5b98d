import { isDatabaseUnavailable, type RetentionOptions, runRetention } from "@scribe/database";
import type { Dispatcher } from "@scribe/queue";
import type { Logger } from "@scribe/telemetry";
import type { Role } from "./role.ts";

export interface CleaningOptions extends Pick<RetentionOptions, "db" | "objects" | "policy"> {
  log: Logger;
  intervalMs: number;
  /** Of the first run; a fleet that starts at once cleans once, for the others find it under way. */
  firstAfterMs?: number;
}

/** A worker has better to do while it starts. */
const FIRST_RUN_MS = 60_000;

/**
 * Looks for what was left behind (rows that are due, messages that were lost, leases that ran out) and erases what is too
 * old.
 */
export function startMaintenance(dispatcher: Dispatcher, cleaning?: CleaningOptions): Role {
  dispatcher.start();
  const stop = new AbortController();
  let running: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;

  const plan = (options: CleaningOptions, afterMs: number) => {
    timer = setTimeout(() => {
      running = clean(options, stop.signal).finally(() => {
        running = null;
        if (!stop.signal.aborted) plan(options, options.intervalMs);
      });
    }, afterMs).unref();
  };
  if (cleaning) plan(cleaning, cleaning.firstAfterMs ?? Math.min(FIRST_RUN_MS, cleaning.intervalMs));

  return {
    name: "maintenance",
    drain: async () => {
      // A run may take as long as there is to erase; the next one goes on where it was cut off.
      stop.abort(new Error("The worker is shutting down."));
      clearTimeout(timer);
      await running;
    },
    abort: () => {},
    async close() {
      stop.abort(new Error("The worker is shutting down."));
      clearTimeout(timer);
      await running;
      await dispatcher.stop();
    },
  };
}

async function clean({ db, objects, policy, log }: CleaningOptions, signal: AbortSignal): Promise<void> {
  try {
    const report = await runRetention({ db, objects, policy, actor: "retention", signal });
    if (report === "busy") return;
    const level = report.failed > 0 ? "warn" : "info";
    log[level](report, "what was too old is erased");
  } catch (error) {
    if (signal.aborted) return;
    log[isDatabaseUnavailable(error) ? "warn" : "error"]({ err: error }, "erasing what is too old failed");
  }
}
