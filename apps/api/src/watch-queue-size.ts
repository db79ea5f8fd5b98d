import { type Database, queueDepth } from "@scribe/database";
import type { Logger } from "@scribe/telemetry";

const EVERY_MS = 5_000;
/** An older number says nothing; null says that honestly. */
const TOO_OLD_MS = 10_000;

/** Counts the waiting jobs now and then, so that asking how many there are costs nothing. */
export function watchQueueSize(db: Database, log: Logger): { read: () => number | null; stop: () => void } {
  let known: { pending: number; atMs: number } | null = null;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function look(): Promise<void> {
    try {
      const { pending } = await queueDepth(db);
      known = { pending, atMs: Date.now() };
    } catch (error) {
      log.debug({ err: error }, "the queue could not be counted");
    }
    if (!stopped) timer = setTimeout(look, EVERY_MS).unref();
  }
  void look();

  return {
    read: () => (known !== null && Date.now() - known.atMs <= TOO_OLD_MS ? known.pending : null),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
