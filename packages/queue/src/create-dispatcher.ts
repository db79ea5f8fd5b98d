import {
  type Database,
  type DispatchedRow,
  dispatchRows,
  findUnclaimed,
  liveSlots,
  promoteAged,
  secondsUntilDue,
  undispatch,
} from "@scribe/database";
import type { Logger } from "@scribe/telemetry";
import type { Queues } from "./open-queues.ts";
import type { QueueKind } from "./queue-kinds.ts";

export interface DispatcherOptions {
  db: Database;
  queues: Queues;
  log: Logger;
  /** Messages kept in the queue; absent: four for each live slot, at least 16. */
  window?: number | undefined;
  /** Jobs of one tenant, without a limit of its own, in the queue or at work at once; 0 or absent: no limit. */
  maxConcurrentJobs?: number | undefined;
  /** A job that has waited this long counts as one class higher; 0 or absent: never. */
  ageingSeconds?: number | undefined;
  sweepSeconds: number;
  /** Which rows it looks after; a poke of another kind is nothing. */
  kinds?: readonly QueueKind[] | undefined;
  /** Told of what was sent again because its message was gone. */
  onRepair?: ((kind: QueueKind, count: number) => void) | undefined;
}

export interface Dispatcher {
  /** Something may be due now. Returns at once, never throws; pokes that come while it works become one. */
  poke(kind: QueueKind): void;
  /** Begins to sweep: what is due later, and what was left behind. */
  start(): void;
  stop(): Promise<void>;
}

const LEAST_WINDOW = 16;
const SLOTS_FACTOR = 4;
/** Workers come and go slowly; submits come by the hundred. */
const SLOTS_KEPT_MS = 1_000;
/**
 * The question what is due next takes its time, too, and reaches the database late on a busy machine: what came to be due
 * before that must not look as if it waited for a place.
 */
const ASKING_SECONDS = 0.25;
/** Deliveries are short and wait on others' servers. */
const WEBHOOK_WINDOW = 64;
/** So are enhancements, but for longer; a short window keeps them fair. */
const ENHANCEMENT_WINDOW = 16;

/**
 * Keeps a short window of messages in BullMQ; everything else waits in Postgres, where order is a query. The rows are
 * the outbox: what is marked as sent and never claimed is asked for and sent again.
 */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { db, queues, log, sweepSeconds, maxConcurrentJobs = 0, ageingSeconds = 0 } = options;
  const rules = { maxConcurrentJobs, ageingSeconds };
  const kinds = options.kinds ?? (["transcription", "webhooks", "enhancement"] as const);
  const lanes = new Map(kinds.map((kind) => [kind, createLane(kind)]));
  let nextSweep: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> | null = null;
  let stopped = false;

  function createLane(kind: QueueKind) {
    let running: Promise<void> | null = null;
    let again = false;
    let due: NodeJS.Timeout | undefined;

    const run = (): Promise<void> => {
      if (running) {
        again = true;
        return running;
      }
      running = work().finally(() => {
        running = null;
        if (again && !stopped) {
          again = false;
          void run();
        }
      });
      return running;
    };

    const work = async (): Promise<void> => {
      try {
        // Once is enough: either all that is due was taken, or the window is full, and whoever makes room pokes again.
        const startedAt = performance.now();
        const rows = await dispatchRows(db, kind, await windowOf(kind), rules);
        if (rows.length > 0) await send(rows);
        if (!stopped) await wakeWhenDue((performance.now() - startedAt) / 1000);
      } catch (error) {
        // The rows are still due; the sweep comes back to them.
        log.warn({ err: error, kind }, "dispatching failed");
      }
    };

    const send = async (rows: DispatchedRow[]): Promise<void> => {
      try {
        await queues.send(kind, rows);
      } catch (error) {
        await undispatch(db, kind, rows);
        throw error;
      }
    };

    /**
     * A retry that is due before the next sweep is not kept waiting for it, nor what came to be due since the rows were
     * chosen.
     */
    const wakeWhenDue = async (elapsedSeconds: number): Promise<void> => {
      const seconds = await secondsUntilDue(db, kind, elapsedSeconds + ASKING_SECONDS);
      clearTimeout(due);
      if (seconds === null || seconds > sweepSeconds || stopped) return;
      due = setTimeout(() => void run(), seconds * 1000 + 10);
      due.unref();
    };

    const repair = async (): Promise<void> => {
      if (kind === "transcription") await promoteAged(db, ageingSeconds);
      const unclaimed = await findUnclaimed(db, kind, 2 * sweepSeconds);
      const lost = unclaimed.length === 0 ? [] : await queues.findLost(kind, unclaimed);
      const count = await undispatch(db, kind, lost);
      if (count > 0) {
        log.warn({ kind, count }, "messages were gone from the queue; sending them again");
        options.onRepair?.(kind, count);
      }
    };

    return {
      run,
      repair,
      stop: async () => {
        clearTimeout(due);
        await running;
      },
    };
  }

  let slots = { count: 0, askedAtMs: Number.NEGATIVE_INFINITY };

  async function windowOf(kind: QueueKind): Promise<number> {
    if (kind === "webhooks") return WEBHOOK_WINDOW;
    if (kind === "enhancement") return ENHANCEMENT_WINDOW;
    if (options.window !== undefined) return options.window;
    const now = performance.now();
    if (now - slots.askedAtMs > SLOTS_KEPT_MS) slots = { count: await liveSlots(db), askedAtMs: now };
    return Math.max(LEAST_WINDOW, SLOTS_FACTOR * slots.count);
  }

  async function sweep(): Promise<void> {
    for (const [kind, lane] of lanes) {
      if (stopped) return;
      await lane.repair().catch((error) => log.warn({ err: error, kind }, "sweeping failed"));
      await lane.run();
    }
    if (!stopped) nextSweep = setTimeout(startSweep, sweepSeconds * 1000).unref();
  }

  function startSweep(): void {
    sweeping = sweep();
  }

  return {
    poke(kind) {
      if (!stopped) void lanes.get(kind)?.run();
    },
    start: startSweep,
    async stop() {
      stopped = true;
      clearTimeout(nextSweep);
      for (const lane of lanes.values()) await lane.stop();
      await sweeping;
    },
  };
}
