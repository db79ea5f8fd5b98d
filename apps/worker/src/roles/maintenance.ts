import { eraseDue, isDatabaseUnavailable, type RetentionOptions, runRetention } from "@scribe/database";
import type { Dispatcher } from "@scribe/queue";
import type { Logger } from "@scribe/telemetry";
import type { Role } from "./role.ts";

export interface CleaningOptions extends Pick<RetentionOptions, "db" | "objects" | "policy"> {
  log: Logger;
  intervalMs: number;
  /** Of the first run; a fleet that starts at once cleans once, for the others find it under way. */
  firstAfterMs?: number;
  /** How often jobs whose own time is over are looked for: it is promised to the minute. */
  dueEveryMs?: number;
}

/** A worker has better to do while it starts. */
const FIRST_RUN_MS = 60_000;
const DUE_EVERY_MS = 30_000;

/**
 * Looks for what was left behind (rows that are due, messages that were lost, leases that ran out) and erases what is too
 * old.
 */
export function startMaintenance(dispatcher: Dispatcher, cleaning?: CleaningOptions): Role {
  dispatcher.start();
  const stop = new AbortController();
  const running = new Set<Promise<void>>();
  const timers = new Map<Task, NodeJS.Timeout>();

  const plan = (task: Task, afterMs: number, everyMs: number) => {
    const timer = setTimeout(() => {
      const run = task(stop.signal).finally(() => {
        running.delete(run);
        if (!stop.signal.aborted) plan(task, everyMs, everyMs);
      });
      running.add(run);
    }, afterMs).unref();
    timers.set(task, timer);
  };
  const end = async () => {
    stop.abort(new Error("The worker is shutting down."));
    for (const timer of timers.values()) clearTimeout(timer);
    await Promise.all(running);
  };
  if (cleaning) {
    const { intervalMs, firstAfterMs = Math.min(FIRST_RUN_MS, intervalMs), dueEveryMs = DUE_EVERY_MS } = cleaning;
    plan((signal) => clean(cleaning, signal), firstAfterMs, intervalMs);
    plan((signal) => cleanDue(cleaning, signal), dueEveryMs, dueEveryMs);
  }

  return {
    name: "maintenance",
    // A run may take as long as there is to erase; the next one goes on where it was cut off.
    drain: end,
    abort: () => {},
    async close() {
      await end();
      await dispatcher.stop();
    },
  };
}

type Task = (signal: AbortSignal) => Promise<void>;

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

async function cleanDue({ db, objects, log }: CleaningOptions, signal: AbortSignal): Promise<void> {
  try {
    const report = await eraseDue({ db, objects, actor: "retention", signal });
    if (report.scanned > 0) log[report.failed > 0 ? "warn" : "info"](report, "jobs whose time was over are erased");
  } catch (error) {
    if (signal.aborted) return;
    log[isDatabaseUnavailable(error) ? "warn" : "error"]({ err: error }, "erasing jobs whose time is over failed");
  }
}
