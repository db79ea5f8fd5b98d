import type { Database } from "@scribe/database";
import type { Logger } from "@scribe/telemetry";
import { Client } from "pg";

const CHANNEL = "scribe_cancel";
const RECONNECT_MS = 500;

type CancelListener = (jobId: string | null) => void;

/**
 * LISTEN on a connection of its own, past any pooler, opened when the first listener comes. Each time it begins to hear,
 * the listeners are told `null`: something may have been missed before.
 */
export function listenForCancels(db: Database, log: Logger) {
  const listeners = new Set<CancelListener>();
  let client: Client | null = null;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;

  const tell = (jobId: string | null) => {
    for (const listener of listeners) listener(jobId);
  };

  const connect = async (): Promise<void> => {
    const fresh = new Client({
      connectionString: db.directUrl,
      application_name: "scribe-listen",
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    });
    client = fresh;
    const lost = (error?: Error) => {
      if (client !== fresh || closed) return;
      client = null;
      if (error) log.warn({ err: error }, "the connection that listens for cancels was lost");
      retry = setTimeout(() => void connect(), RECONNECT_MS);
    };
    fresh.on("error", lost);
    fresh.on("end", () => lost());
    fresh.on("notification", ({ payload }) => tell(payload ?? null));
    try {
      await fresh.connect();
      await fresh.query(`LISTEN ${CHANNEL}`);
      tell(null);
    } catch (error) {
      void fresh.end().catch(() => undefined);
      lost(error as Error);
    }
  };

  return {
    channel: CHANNEL,
    onCancel(listener: CancelListener): () => void {
      listeners.add(listener);
      if (client === null && retry === undefined) void connect();
      return () => listeners.delete(listener);
    },
    async close() {
      closed = true;
      clearTimeout(retry);
      await client?.end().catch(() => undefined);
    },
  };
}
