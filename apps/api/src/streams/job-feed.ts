import type { JobEventRow } from "@scribe/database";
import type { JobPhase } from "@scribe/domain";
import type { JobNotification } from "@scribe/queue";

/** Rows of one read; a job of many hours has some thousands. */
const PAGE = 200;
/** What a reader that has fallen back a little still finds in memory. */
const RECENT = 400;

/** After a read that failed. */
const RETRY_MS = 1_000;

export interface JobProgress {
  progress: number;
  phase: JobPhase;
}

/** Where a feed's rows come from; bound to the job and its tenant. */
export interface FeedSource {
  events(afterOrdinal: number, limit: number): Promise<JobEventRow[]>;
  /** Whether the job is still there. */
  exists(): Promise<boolean>;
  watch(listener: (notification: JobNotification) => void): () => void;
}

/**
 * The durable events of one job as its watchers follow them: one subscription and one read of each new row, however
 * many watch. Every watcher has its own cursor and takes rows when it can write them, so a slow one holds nothing but
 * its place; what it has missed it reads again.
 */
export function openJobFeed(source: FeedSource, retryMs = RETRY_MS) {
  /** Rows whose ordinal is above `recentAfter`, up to `tail`. */
  let recent: JobEventRow[] = [];
  let recentAfter = -1;
  let tail = -1;
  let version = 0;
  let progress: JobProgress | null = null;
  let gone = false;
  let filling: Promise<void> | null = null;
  let fillAgain = false;
  let retrying: NodeJS.Timeout | undefined;
  let closed = false;
  const waiting = new Set<() => void>();

  const wake = () => {
    version += 1;
    for (const go of waiting) go();
  };

  const unwatch = source.watch((notification) => {
    if (notification.type === "progress") {
      progress = { progress: notification.progress, phase: notification.phase };
      wake();
    } else fill();
  });

  function fill(): void {
    clearTimeout(retrying);
    if (filling) {
      fillAgain = true;
      return;
    }
    filling = readNew()
      // Of the last event no further notification tells: what could not be read is asked for again.
      .catch(() => {
        if (!closed) retrying = setTimeout(fill, retryMs).unref();
      })
      .finally(() => {
        filling = null;
        if (fillAgain) {
          fillAgain = false;
          fill();
        }
      });
  }

  async function readNew(): Promise<void> {
    if (tail === -1) return;
    for (;;) {
      const rows = await source.events(tail, PAGE);
      const fresh = rows.filter(({ ordinal }) => ordinal > tail);
      if (fresh.length > 0) {
        recent.push(...fresh);
        tail = recent.at(-1)?.ordinal ?? tail;
        const dropped = recent.splice(0, Math.max(0, recent.length - RECENT));
        recentAfter = dropped.at(-1)?.ordinal ?? recentAfter;
        wake();
      } else if (!(await source.exists())) {
        gone = true;
        wake();
      }
      if (rows.length < PAGE) return;
    }
  }

  return {
    version: () => version,
    progress: () => progress,
    /** The job was erased: nothing more will come. */
    gone: () => gone,

    /** Rows behind a cursor, at most a page; none where the watcher has seen all there is. */
    async read(cursor: number): Promise<JobEventRow[]> {
      if (tail !== -1 && cursor >= tail) return [];
      if (tail !== -1 && cursor >= recentAfter) return recent.filter(({ ordinal }) => ordinal > cursor).slice(0, PAGE);
      const rows = await source.events(cursor, PAGE);
      if (rows.length === 0 && cursor > tail) {
        // The first watcher to have read everything says where the common part begins.
        recent = [];
        recentAfter = tail = cursor;
        fill();
      }
      return rows;
    },

    /** Resolves once something has happened since `seen`, a version, or the signal is aborted. */
    async changedSince(seen: number, signal: AbortSignal): Promise<void> {
      if (version !== seen || signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const go = () => resolve();
      waiting.add(go);
      signal.addEventListener("abort", go, { once: true });
      await promise;
      waiting.delete(go);
      signal.removeEventListener("abort", go);
    },

    close() {
      closed = true;
      clearTimeout(retrying);
      unwatch();
    },
  };
}

export type JobFeed = ReturnType<typeof openJobFeed>;
