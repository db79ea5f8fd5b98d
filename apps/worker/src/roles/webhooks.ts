import { claimDelivery, finishDeliveryTry, handBackDelivery, isDatabaseUnavailable } from "@scribe/database";
import type { OutboundClient } from "@scribe/outbound";
import type { Queues } from "@scribe/queue";
import { DELIVERY_TIMEOUT_MS, type DeliveryResult, decideOutcome, deliverOnce } from "@scribe/webhooks";
import type { WorkerParts } from "../attempt.ts";
import type { Role } from "./role.ts";

/** Longer than a try can take, so that a lease that ran out means a worker that died. */
const LEASE_SECONDS = Math.ceil(DELIVERY_TIMEOUT_MS / 1000) + 15;

export interface WebhookSettings {
  queues: Queues;
  outbound: OutboundClient;
  scheduleSeconds: readonly number[];
  /** Deliveries at once: they wait for receivers and hardly compute. */
  concurrency: number;
  /** Further headers for an address. */
  headersFor?: (url: string) => Record<string, string>;
}

type Parts = Pick<WorkerParts, "db" | "log" | "metrics" | "tracer" | "poke">;

/** Sends what is due to webhook receivers, each try once. */
export function startWebhooks(parts: Parts, settings: WebhookSettings): Role {
  const running = new Set<Promise<void>>();
  const stop = new AbortController();
  const consumer = settings.queues.consume("webhooks", {
    concurrency: settings.concurrency,
    handle: async (deliveryId) => {
      const work = tryDelivery(deliveryId, parts, settings, stop.signal);
      running.add(work);
      await work.finally(() => running.delete(work));
    },
  });
  return {
    name: "webhooks",
    async drain() {
      await consumer.pause();
      await Promise.allSettled(running);
    },
    abort: () => stop.abort(),
    close: () => consumer.close(),
  };
}

async function tryDelivery(id: string, parts: Parts, settings: WebhookSettings, stop: AbortSignal): Promise<void> {
  const { db, log, metrics } = parts;
  const delivery = await claimDelivery(db, id, { leaseSeconds: LEASE_SECONDS });
  if (delivery === null) return;
  // The claim made room in the window.
  parts.poke("webhooks");
  const { outbound: client, headersFor } = settings;
  const span = parts.tracer.start("deliver webhook", {
    kind: "client",
    parent: delivery.traceparent,
    attributes: {
      "scribe.delivery": id,
      "scribe.event": delivery.type,
      ...(delivery.jobId && { "scribe.job": delivery.jobId }),
    },
  });
  const result = await deliverOnce(delivery, { client, signal: stop, ...(headersFor && { headersFor }) }).catch(
    (err: unknown): DeliveryResult => {
      log.error({ err, deliveryId: id }, "a delivery could not be signed");
      return { status: null, durationMs: 0, error: "The delivery could not be signed." };
    },
  );
  span.set({ "http.response.status_code": result.status ?? 0 });
  span.end(result.error);
  if (stop.aborted && result.status === null) return await giveBack({ id, epoch: delivery.leaseEpoch }, parts);
  const outcome = decideOutcome(result, delivery.attempts, settings.scheduleSeconds);
  const { status, durationMs, error, responseExcerpt } = result;
  try {
    const ours = await finishDeliveryTry(
      db,
      { id, epoch: delivery.leaseEpoch },
      { status, durationMs, outcome, ...(error && { error }), ...(responseExcerpt && { responseExcerpt }) },
    );
    if (!ours) log.info({ deliveryId: id }, "another worker has the delivery by now");
  } catch (finishError) {
    // Not written down: it is sent once more, under the same id, which is what receivers tell repeats by.
    if (!isDatabaseUnavailable(finishError)) throw finishError;
    log.warn({ err: finishError, deliveryId: id }, "a delivery's try could not be written down");
  }
  const how = { outcome: typeof outcome === "string" ? outcome : "retry" };
  metrics.deliveries.inc(how);
  metrics.deliveryAgeSeconds.observe(how, Math.max(0, Date.now() - delivery.createdAt.getTime()) / 1000);
  // Its endpoint has a place for another now, and a retry has a time to be waited for.
  parts.poke("webhooks");
}

/** Cut off by our own end it counts as no try. Where it cannot be given back, the lease runs out. */
async function giveBack(delivery: { id: string; epoch: number }, { db, log }: Parts): Promise<void> {
  try {
    await handBackDelivery(db, delivery);
  } catch (error) {
    log.warn({ err: error, deliveryId: delivery.id }, "a delivery could not be given back; its lease runs out");
  }
}
