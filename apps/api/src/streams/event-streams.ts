import { type Database, tenantJobs } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import type { Notifications } from "@scribe/queue";
import type { Logger } from "@scribe/telemetry";
import type { Response } from "express";
import type { ApiMetrics } from "../api-metrics.ts";
import type { Waits } from "../waits.ts";
import { whenClosed } from "../when-closed.ts";
import { type JobFeed, openJobFeed } from "./job-feed.ts";
import { openSseWriter, SlowReader, type SseWriter } from "./sse-writer.ts";

/** When a client whose stream we ended should come again. */
const RETRY_MS = 2_000;
const BUSY_RETRY_SECONDS = 5;

export interface EventStreamsOptions {
  db: Database;
  log: Logger;
  notifications: Pick<Notifications, "watch">;
  metrics: Pick<ApiMetrics, "openStreams" | "droppedStreams">;
  waits: Pick<Waits, "streamCommentMs" | "slowReaderMs">;
}

export interface StreamRequest {
  response: Response;
  tenantId: string;
  keyId: string;
  /** Streams that the key may have open here. */
  maxPerKey: number;
  jobId: string;
  /** The last ordinal that the client has; 0 for all. */
  after: number;
  /** Asked at each comment: whether the key still opens this door. */
  stillAllowed: () => Promise<boolean>;
}

export interface EventStreams {
  /** Streams a job's events until it is done or the client goes; resolves when the stream has ended. */
  serve(request: StreamRequest): Promise<void>;
  /** Ends all streams and tells their clients when to come again, elsewhere. */
  drain(): Promise<void>;
}

/** Why a stream ends before its job does. */
class StreamEnd extends Error {
  override readonly name = "StreamEnd";
}

interface Shared {
  feed: JobFeed;
  watchers: number;
}

export function createEventStreams(options: EventStreamsOptions): EventStreams {
  const { db, log, notifications, metrics } = options;
  const feeds = new Map<string, Shared>();
  const perKey = new Map<string, number>();
  const open = new Map<AbortController, Promise<void>>();

  function joinFeed(tenantId: string, jobId: string): { feed: JobFeed; leave: () => void } {
    const jobs = tenantJobs(db, tenantId);
    const shared = feeds.get(jobId) ?? {
      feed: openJobFeed({
        events: (after, limit) => jobs.events(jobId, after, limit),
        exists: async () => (await jobs.get(jobId)) !== null,
        watch: (listener) => notifications.watch(jobId, listener),
      }),
      watchers: 0,
    };
    shared.watchers += 1;
    feeds.set(jobId, shared);
    return {
      feed: shared.feed,
      leave() {
        shared.watchers -= 1;
        if (shared.watchers > 0) return;
        feeds.delete(jobId);
        shared.feed.close();
      },
    };
  }

  async function run({ response, tenantId, jobId, after, stillAllowed }: StreamRequest, stop: AbortController) {
    const { signal } = stop;
    const { feed, leave } = joinFeed(tenantId, jobId);
    const writer = openSseWriter(response, signal, options.waits.slowReaderMs);
    const tick = setInterval(async () => {
      try {
        if (writer.hasRoom()) await writer.comment();
        if (!(await stillAllowed())) stop.abort(new StreamEnd("the key is no longer valid"));
      } catch {
        // The stream has ended meanwhile, or the database is away: the next tick asks again.
      }
    }, options.waits.streamCommentMs);
    whenClosed(response, () => stop.abort(new StreamEnd("the client went away")));
    try {
      await follow(feed, writer, after, signal);
      writer.end();
    } catch (error) {
      // A client that went away needs no words, and is no loss.
      if (response.destroyed) return;
      const known = error instanceof StreamEnd || error instanceof SlowReader;
      log[known ? "info" : "warn"]({ err: error, job: jobId }, "an event stream ended before its job");
      metrics.droppedStreams.inc({ reason: error instanceof SlowReader ? "slow" : known ? "ended" : "failed" });
      writer.end(`: ${known ? error.message : "the stream cannot go on"}\nretry: ${RETRY_MS}\n\n`);
    } finally {
      clearInterval(tick);
      leave();
    }
  }

  return {
    async serve(request) {
      const { keyId, maxPerKey, response } = request;
      const count = perKey.get(keyId) ?? 0;
      if (count >= maxPerKey) {
        throw new RequestError("rate_limited", `A key has at most ${maxPerKey} open event streams.`, {
          retryAfterSeconds: BUSY_RETRY_SECONDS,
        });
      }
      perKey.set(keyId, count + 1);
      metrics.openStreams.inc();
      response.locals.streamed = true;
      const stop = new AbortController();
      const running = run(request, stop);
      open.set(stop, running);
      try {
        await running;
      } finally {
        open.delete(stop);
        metrics.openStreams.dec();
        const left = (perKey.get(keyId) ?? 1) - 1;
        if (left > 0) perKey.set(keyId, left);
        else perKey.delete(keyId);
      }
    },

    async drain() {
      for (const stop of open.keys()) stop.abort(new StreamEnd("the server is going away"));
      await Promise.allSettled(open.values());
    },
  };
}

/** Writes what a watcher lacks, then what comes, until `done`. */
async function follow(feed: JobFeed, writer: SseWriter, after: number, signal: AbortSignal): Promise<void> {
  let cursor = after;
  let shown: unknown = null;
  for (;;) {
    const seen = feed.version();
    const rows = await feed.read(cursor);
    signal.throwIfAborted();
    for (const { ordinal, type, data } of rows) {
      await writer.event(type, data, ordinal);
      cursor = ordinal;
      if (type === "done") return;
    }
    if (rows.length > 0) continue;
    if (feed.gone()) throw new StreamEnd("the job was erased");
    const progress = feed.progress();
    if (progress !== null && progress !== shown && writer.hasRoom()) {
      shown = progress;
      await writer.event("progress", progress);
    }
    await feed.changedSince(seen, signal);
    signal.throwIfAborted();
  }
}
