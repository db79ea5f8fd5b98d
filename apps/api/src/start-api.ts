import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, ConfigError } from "@scribe/config";
import { durabilityWarnings, openDatabase } from "@scribe/database";
import { createOutboundClient } from "@scribe/outbound";
import { createDispatcher, openNotifications, openQueues } from "@scribe/queue";
import { localAudioFolder, openStore } from "@scribe/storage";
import { type Logger, openTracer, showProcess } from "@scribe/telemetry";
import { vercelBypass } from "@scribe/webhooks";
import type { Api } from "./api.ts";
import { createApiMetrics } from "./api-metrics.ts";
import { createFindCacheKeys } from "./cache-keys.ts";
import { createApp } from "./create-app.ts";
import { createHttpServer } from "./create-server.ts";
import { ensureAdminKey, readAdminKey } from "./ensure-admin-key.ts";
import { createEstimate } from "./http/audio-seconds.ts";
import { isProbed, type Lifecycle, newLifecycle } from "./lifecycle.ts";
import { openHitCounter } from "./limits/hit-counter.ts";
import { createPlaces } from "./limits/places.ts";
import { createLinkSigner } from "./link-signer.ts";
import { closeServer, listen } from "./listen.ts";
import { readModelOffer } from "./model-offer.ts";
import { openAccounts } from "./open-accounts.ts";
import { readOutboundPolicy } from "./outbound-policy.ts";
import { reachDatabase } from "./reach-database.ts";
import { readVersion } from "./read-version.ts";
import { createMetricsServer } from "./serve-metrics.ts";
import { createEventStreams } from "./streams/event-streams.ts";
import { createUnderway } from "./underway.ts";
import { WAITS, type Waits } from "./waits.ts";
import { watchQueueSize } from "./watch-queue-size.ts";

/** How long a probe may take to see that requests should go elsewhere. */
const NOTICE_MS = 10_000;

export interface StartApiOptions {
  config: Config;
  log: Logger;
  /** Ends a start that waits for the database. */
  signal?: AbortSignal;
  waits?: Partial<Waits>;
}

export interface RunningApi {
  /** Of a client on this machine. */
  url: string;
  /** Where /metrics needs no key; null where that is off. */
  metricsUrl: string | null;
  /**
   * Two stages: /ready says 503 until a probe has seen it, then nothing more is accepted, streams are ended with a hint
   * to come again, and requests under way have `graceSeconds`. `force` ends all waiting. Then everything is closed.
   */
  stop(graceSeconds: number, force?: AbortSignal): Promise<void>;
}

/** Composes the API, connects and listens. What was opened is closed again where a later step fails. */
export async function startApi(options: StartApiOptions): Promise<RunningApi> {
  const { config, log, signal = new AbortController().signal, waits: given } = options;
  const { data, http, jobs, limits, outbound, speech } = config;
  if (data.DATABASE_URL === undefined || data.SCRIBE_ENCRYPTION_KEY === undefined) {
    throw new ConfigError(["DATABASE_URL is needed (`npm start` brings a database of its own)"]);
  }
  const configured = {
    bodyMs: limits.BODY_TIMEOUT_SECONDS * 1000,
    uploadIdleMs: limits.UPLOAD_IDLE_SECONDS * 1000,
  };
  const waits = { ...WAITS, ...configured, ...given };
  const adminKey = readAdminKey(data.SCRIBE_ADMIN_KEY);
  const accounts = openAccounts(config);
  // Uploads are refused before the disk is full: what was accepted before needs room to be worked on.
  const storage = await openStore(data, { reserveBytes: limits.STORAGE_RESERVE_BYTES });
  const closing = new AsyncDisposableStack();
  try {
    const db = openDatabase({
      url: data.DATABASE_URL,
      directUrl: data.DATABASE_DIRECT_URL,
      poolSize: data.DATABASE_POOL_SIZE,
      encryptionKey: data.SCRIBE_ENCRYPTION_KEY,
      encryptionKeyBefore: data.SCRIBE_ENCRYPTION_KEY_BEFORE,
      applicationName: "scribe-api",
      publicUrl: http.PUBLIC_URL,
    });
    closing.defer(() => db.close());
    closing.defer(() => storage.close());
    await reachDatabase(db, log, signal);
    for (const warning of await durabilityWarnings(db)) log.warn(warning);
    const { defaultTenantId } = await ensureAdminKey(db, { key: adminKey, webhookSecret: outbound.WEBHOOK_SECRET });

    const metrics = createApiMetrics();
    const tracer = await openTracer(config.tracing, { service: "scribe-api", version: readVersion(), log });
    closing.defer(() => tracer.close());
    const queues = await openQueues({ redisUrl: data.REDIS_URL, db, log });
    closing.defer(() => queues.close());
    const notifications = await openNotifications({ redisUrl: data.REDIS_URL, db, log });
    closing.defer(() => notifications.close());
    const dispatcher = createDispatcher({
      db,
      queues,
      log,
      window: jobs.DISPATCH_WINDOW,
      maxConcurrentJobs: limits.MAX_CONCURRENT_JOBS,
      ageingSeconds: config.jobs.PRIORITY_AGEING_SECONDS,
      sweepSeconds: jobs.SWEEP_INTERVAL_SECONDS,
      onRepair: (queue, count) => metrics.repairs.inc({ queue }, count),
    });
    closing.defer(() => dispatcher.stop());
    const queueSize = watchQueueSize(db, log);
    closing.defer(() => queueSize.stop());

    const hits = openHitCounter({ redisUrl: data.REDIS_URL, db, log });
    closing.defer(() => hits.close());

    const outboundPolicy = readOutboundPolicy(config);
    const client = createOutboundClient(outboundPolicy);
    closing.defer(() => client.close());
    const headersFor = vercelBypass({
      hosts: outbound.VERCEL_BYPASS_HOSTS,
      secret: outbound.VERCEL_AUTOMATION_BYPASS_SECRET,
    });

    const uploadSlots = createPlaces({
      ...{ max: limits.MAX_UPLOADS, maxPerKey: limits.MAX_UPLOADS_PER_KEY, what: "uploads at once" },
    });
    const waiting = createPlaces({
      ...{ max: limits.MAX_WAITING, maxPerKey: limits.MAX_WAITING_PER_KEY, what: "requests that wait for transcripts" },
    });
    const searches = createPlaces({
      ...{ max: limits.MAX_SEARCHES, maxPerKey: limits.MAX_SEARCHES_PER_KEY, what: "searches at once" },
    });
    const largeBodies = createPlaces({
      ...{ max: limits.MAX_LARGE_BODIES, maxPerKey: limits.MAX_LARGE_BODIES_PER_KEY, what: "large bodies at once" },
    });
    const links = createLinkSigner(data.SCRIBE_ENCRYPTION_KEY, data.SCRIBE_ENCRYPTION_KEY_BEFORE);
    const lifecycle = newLifecycle();
    const streams = createEventStreams({ db, log, notifications, metrics, waits });
    const app = createApp({
      ...{
        config,
        log,
        db,
        queues,
        dispatcher,
        notifications,
        storage,
        metrics,
        tracer,
        streams,
        lifecycle,
        hits,
        findCacheKeys: createFindCacheKeys(db),
        estimateAudioSeconds: createEstimate(),
        uploadSlots,
        waiting,
        searches,
        largeBodies,
        links,
        accounts,
      },
      outboundPolicy,
      deliver: { client, headersFor },
      models: readModelOffer(speech),
      legacySecretOf: (tenantId) => (tenantId === defaultTenantId ? outbound.IVRIT_WEBHOOK_SECRET : undefined),
      waits,
      underway: createUnderway(),
      queueSize: queueSize.read,
      version: readVersion(),
    } satisfies Api);

    showProcess(metrics.registry, {
      version: readVersion(),
      folders: {
        data: resolve(data.SCRIBE_DATA_DIR),
        ...(data.STORAGE_BACKEND === "local" && { audio: localAudioFolder(data) }),
      },
      dependencies: {
        postgres: () => db.pool.query("SELECT 1"),
        ...(queues.backend === "redis" && { redis: () => queues.ping() }),
      },
    });

    const cut = new AbortController();
    const server = createHttpServer(app, config);
    const port = await listen(server, http.PORT, http.HOST, "PORT");
    closing.defer(() => closeServer(server, cut.signal));
    const metricsServer = http.METRICS_PORT === 0 ? null : createMetricsServer(metrics.registry);
    const metricsPort = metricsServer && (await listen(metricsServer, http.METRICS_PORT, http.HOST, "METRICS_PORT"));
    if (metricsServer) closing.defer(() => closeServer(metricsServer, cut.signal));
    dispatcher.start();
    log.info({ port, host: http.HOST, queue: queues.backend, models: readModelOffer(speech).ids }, "the API listens");

    return {
      url: `http://${reachable(http.HOST)}:${port}`,
      metricsUrl: metricsPort === null ? null : `http://${reachable(http.HOST)}:${metricsPort}/metrics`,
      async stop(graceSeconds, force = new AbortController().signal) {
        lifecycle.draining = true;
        await untilNoticed(lifecycle, Math.min(NOTICE_MS, (graceSeconds * 1000) / 2), force);
        const deadline = AbortSignal.any([force, AbortSignal.timeout(graceSeconds * 1000)]);
        deadline.addEventListener("abort", () => cut.abort(), { once: true });
        if (deadline.aborted) cut.abort();
        await streams.drain();
        await closing.disposeAsync();
      },
    };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

/** Where nobody probes, nobody is waited for. */
async function untilNoticed(lifecycle: Lifecycle, limitMs: number, force: AbortSignal): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (isProbed(lifecycle) && lifecycle.toldNotReady === 0 && Date.now() < deadline && !force.aborted) {
    await sleep(50);
  }
}

function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
