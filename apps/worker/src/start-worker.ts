import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import type { Config } from "@scribe/config";
import { durabilityWarnings, heartbeat, openDatabase, removeWorker } from "@scribe/database";
import { createSyntheticEngine, secondsWithoutAudio } from "@scribe/engine-synthetic";
import { findFfmpeg } from "@scribe/media";
import { createOutboundClient } from "@scribe/outbound";
import { createDispatcher, openNotifications, openQueues } from "@scribe/queue";
import { openHub, startSpeechRuntime } from "@scribe/speech";
import { localAudioFolder, openStore } from "@scribe/storage";
import { createMetrics, type Logger, openTracer, type Registry, showProcess } from "@scribe/telemetry";
import { vercelBypass } from "@scribe/webhooks";
import type { FittedEngine, WorkerParts } from "./attempt.ts";
import { tellCloudwatch } from "./cloudwatch-metrics.ts";
import { startEcsProtection } from "./ecs-protection.ts";
import { createEngineGate } from "./engine-gate.ts";
import { needOffered } from "./engines/find-model.ts";
import { createFindSpeakers } from "./engines/find-speakers.ts";
import { openHostedEngines } from "./engines/hosted-engines.ts";
import { createModelFinder } from "./engines/model-finder.ts";
import { createOnnxEngine } from "./engines/onnx-engine.ts";
import { openStubEngine } from "./engines/stub-engine.ts";
import { enhancementSettings } from "./enhancement-settings.ts";
import type { Fail } from "./fail-point.ts";
import { showGpus } from "./gpu-metrics.ts";
import { createHeldJobs } from "./held-jobs.ts";
import { startHealthServer } from "./http/health-server.ts";
import { showInstance } from "./instance-metrics.ts";
import { jobSettings } from "./job-settings.ts";
import { openChat } from "./open-chat.ts";
import { outboundPolicy } from "./outbound-policy.ts";
import { createResultCache } from "./result-cache.ts";
import { startEnhancement } from "./roles/enhancement.ts";
import { startMaintenance } from "./roles/maintenance.ts";
import type { Role } from "./roles/role.ts";
import { startTranscription } from "./roles/transcription.ts";
import { startWebhooks } from "./roles/webhooks.ts";
import { showBatches, showFallbacks, showSpeech } from "./speech-metrics.ts";
import { makeWorkerId, openWorkFolder } from "./work-folder.ts";
import { createWorkerMetrics } from "./worker-metrics.ts";

export interface WorkerOptions {
  config: Config;
  version: string;
  log: Logger;
  production: boolean;
  fail: Fail;
}

export interface RunningWorker {
  id: string;
  /** Of /health, /ready and /metrics. */
  port: number;
  /**
   * Takes nothing new and lets work go on for `graceSeconds`; then what is left is handed back with its checkpoint, and
   * everything is closed. `force` cuts the grace short.
   */
  stop(graceSeconds: number, force?: AbortSignal): Promise<void>;
}

const HEARTBEAT_MS = 5000;

/** What setTimeout can wait for: 24 days, which is never enough for a worker. */
const LONGEST_TIMER_SECONDS = 2_147_483;

/** Of what the API leaves free, so that jobs that it has accepted still find room for what they fetch. */
const RESERVE_SHARE = 1 / 4;

/** How long handing back may take after the grace: a statement for each job. */
const HAND_BACK_MS = 10_000;

/** Makes every part by hand, starts the roles, and closes all in the reverse order. */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { config, log, version } = options;
  const { data, jobs, http, outbound: outboundConfig } = config;
  if (data.DATABASE_URL === undefined || data.SCRIBE_ENCRYPTION_KEY === undefined) {
    throw new Error(
      "A worker by itself needs DATABASE_URL and SCRIBE_ENCRYPTION_KEY; `npm start` brings its own Postgres.",
    );
  }
  const opened: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const end of opened.splice(0).reverse())
      await end().catch((err: unknown) => log.warn({ err }, "closing failed"));
  };
  let draining = false;

  try {
    const workerId = makeWorkerId(randomBytes(4).toString("hex"));
    const registry = createMetrics();
    const metrics = createWorkerMetrics(registry);
    const tracer = await openTracer(config.tracing, { service: "scribe-worker", version, log });
    opened.push(() => tracer.close());
    const db = openDatabase({
      url: data.DATABASE_URL,
      directUrl: data.DATABASE_DIRECT_URL,
      poolSize: data.DATABASE_POOL_SIZE,
      encryptionKey: data.SCRIBE_ENCRYPTION_KEY,
      encryptionKeyBefore: data.SCRIBE_ENCRYPTION_KEY_BEFORE,
      applicationName: "scribe-worker",
      publicUrl: http.PUBLIC_URL ?? `http://127.0.0.1:${http.PORT}`,
    });
    opened.push(() => db.close());
    for (const warning of await durabilityWarnings(db)) log.warn(warning);
    const queues = await openQueues({ db, log, ...(data.REDIS_URL && { redisUrl: data.REDIS_URL }) });
    opened.push(() => queues.close());
    const notifications = await openNotifications({ db, log, ...(data.REDIS_URL && { redisUrl: data.REDIS_URL }) });
    opened.push(() => notifications.close());
    const outbound = createOutboundClient(outboundPolicy(config));
    opened.push(() => outbound.close());
    const storage = await openStore(data, { reserveBytes: RESERVE_SHARE * config.limits.STORAGE_RESERVE_BYTES });
    opened.push(() => storage.close());
    const workFolder = await openWorkFolder(resolve(data.SCRIBE_DATA_DIR), workerId);
    opened.push(() => workFolder.close());
    const dispatcher = createDispatcher({
      db,
      queues,
      log,
      sweepSeconds: jobs.SWEEP_INTERVAL_SECONDS,
      onRepair: (queue, count) => metrics.repairs.inc({ queue }, count),
      maxConcurrentJobs: config.limits.MAX_CONCURRENT_JOBS,
      ageingSeconds: jobs.PRIORITY_AGEING_SECONDS,
      ...(jobs.DISPATCH_WINDOW === undefined ? {} : { window: jobs.DISPATCH_WINDOW }),
    });
    opened.push(() => dispatcher.stop());
    const poke: WorkerParts["poke"] = (kind) => dispatcher.poke(kind);

    showProcess(registry, {
      version,
      folders: { data: resolve(data.SCRIBE_DATA_DIR), ...localFolder(config) },
      dependencies: {
        postgres: () => db.pool.query("SELECT 1"),
        ...(queues.backend === "redis" && { redis: () => queues.ping() }),
      },
    });

    const roles: Role[] = [];
    const wanted = new Set<string>(jobs.WORKER_ROLES);
    const transcribes = wanted.has("transcription");
    const engines = new Map<string, FittedEngine>();
    const { DIARIZATION_SPEED, DIARIZATION_SEGMENTATION_MODEL, DIARIZATION_EMBEDDING_MODEL } = config.speech;
    const speakers = [DIARIZATION_SPEED, DIARIZATION_SEGMENTATION_MODEL, DIARIZATION_EMBEDDING_MODEL];
    const resultCache = createResultCache({ engines, speakers });
    if (wanted.has("maintenance")) {
      const policy = { audioHours: jobs.AUDIO_RETENTION_HOURS, jobHours: jobs.JOB_RETENTION_HOURS };
      const intervalMs = jobs.CLEANUP_INTERVAL_MINUTES * 60_000;
      const role = startMaintenance(dispatcher, { db, log, objects: storage, policy, intervalMs });
      opened.push(() => role.close());
      roles.push(role);
      const { WORKER_CONCURRENCY: slots, TARGET_WAIT_SECONDS: targetWaitSeconds } = jobs;
      showInstance(registry, { db, log, slots, targetWaitSeconds });
      const namespace = jobs.CLOUDWATCH_NAMESPACE;
      if (namespace !== undefined) {
        const cloudwatch = tellCloudwatch({ db, log, namespace, slots });
        opened.push(() => cloudwatch.close());
      }
    }
    if (wanted.has("webhooks")) {
      const scheduleSeconds = outboundConfig.WEBHOOK_RETRY_SCHEDULE.map(Number);
      const headersFor = vercelBypass({
        hosts: outboundConfig.VERCEL_BYPASS_HOSTS,
        secret: outboundConfig.VERCEL_AUTOMATION_BYPASS_SECRET,
      });
      const role = startWebhooks(
        { db, log, metrics, tracer, poke },
        { queues, outbound, scheduleSeconds, headersFor, concurrency: outboundConfig.WEBHOOK_CONCURRENCY },
      );
      opened.push(() => role.close());
      roles.push(role);
    }
    const enhancer = wanted.has("enhancement") ? openChat(config) : null;
    if (enhancer) {
      opened.push(() => enhancer.client.close());
      const settings = enhancementSettings(config, enhancer.chat);
      const parts = { workerId, db, metrics, tracer, log, poke, held: createHeldJobs(), settings };
      const role = startEnhancement(parts, { queues, concurrency: config.enhancement.ENHANCED_AI_CONCURRENCY });
      opened.push(() => role.close());
      roles.push(role);
    }
    if (transcribes) {
      const programs = await findFfmpeg({ production: options.production, warn: (message) => log.warn(message) });
      for (const [name, engine] of openEngines(config, log, registry)) {
        engines.set(name, engine);
        opened.push(() => engine.engine.close());
      }
      const hosted = openHostedEngines({ config, db, outbound, policy: outboundPolicy(config), programs });
      for (const [name, engine] of hosted.engines) engines.set(name, engine);
      if (config.compat.SCRIBE_ENABLE_STUB) engines.set("stub", openStubEngine({ db, storage }));
      opened.push(() => hosted.close());
      showGpus(registry);
      metrics.slots.set(jobs.WORKER_CONCURRENCY);
      const protection = jobs.ECS_AGENT_URI && startEcsProtection({ agentUrl: jobs.ECS_AGENT_URI, log });
      if (protection) opened.push(() => protection.close());
      const closing = new AbortController();
      opened.push(async () => closing.abort(new Error("The worker is shutting down.")));
      const parts: WorkerParts = {
        workerId,
        db,
        storage,
        outbound,
        programs,
        engines,
        findSpeakers: createFindSpeakers(config, providersInOrder(config), { log, closing: closing.signal }),
        gate: createEngineGate(),
        held: createHeldJobs((count) => {
          metrics.jobsRunning.set(count);
          if (protection) protection.hold(count);
        }),
        notifications,
        workFolder,
        resultCache,
        settings: jobSettings(config),
        metrics,
        tracer,
        fail: options.fail,
        log,
        poke,
      };
      const role = startTranscription(parts, { queues, concurrency: jobs.WORKER_CONCURRENCY });
      opened.push(() => role.close());
      roles.push(role);
    }

    // Without an endpoint nobody asks it, whatever the roles say; who counts workers must know.
    const shownRoles = jobs.WORKER_ROLES.filter((role) => role !== "enhancement" || enhancer !== null);
    const showLife = async () => {
      const models = [...engines.values()].flatMap(({ engine }) => engine.loadedModels());
      const identities = resultCache.identities();
      const slots = transcribes && !draining ? jobs.WORKER_CONCURRENCY : 0;
      await heartbeat(db, { id: workerId, roles: shownRoles, slots, models, version, identities });
      await workFolder.touch();
    };
    await showLife();
    const beat = setInterval(
      () => void showLife().catch((err: unknown) => log.warn({ err }, "no heartbeat")),
      HEARTBEAT_MS,
    );
    opened.push(async () => {
      clearInterval(beat);
      await removeWorker(db, workerId);
    });
    // More slots make a wider window.
    dispatcher.poke("transcription");
    dispatcher.poke("webhooks");
    dispatcher.poke("enhancement");

    const server = await startHealthServer({
      port: http.WORKER_PORT,
      version,
      registry,
      whyNotReady: async () => {
        if (draining) return "the worker is shutting down";
        await db.pool.query("SELECT 1");
        return (await queues.ping()) ? null : "the queue does not answer";
      },
    });
    opened.push(() => server.close());
    log.info({ workerId, roles: shownRoles, port: server.port, backend: queues.backend }, "the worker is up");

    const stop = async (graceSeconds: number, force?: AbortSignal) => {
      draining = true;
      const drained = Promise.all(roles.map((role) => role.drain()));
      await settledWithin(drained, graceSeconds * 1000, force);
      for (const role of roles) role.abort();
      await settledWithin(drained, HAND_BACK_MS);
      await close();
    };
    return { id: workerId, port: server.port, stop };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Where audio lies, if on a disk of our own. */
function localFolder({ data }: Config): Record<string, string> {
  if (data.STORAGE_BACKEND !== "local") return {};
  return { audio: localAudioFolder(data) };
}

function openEngines({ speech, http, data }: Config, log: Logger, registry: Registry): Map<string, FittedEngine> {
  const bundledDir = resolve(import.meta.dirname, "../../../models");
  const runtime = startSpeechRuntime({
    executionProviders: speech.EXECUTION_PROVIDERS,
    intraOpThreads: speech.INTRA_OP_THREADS || availableParallelism(),
    modelIdleSeconds: speech.MODEL_IDLE_SECONDS || LONGEST_TIMER_SECONDS,
    modelMemoryBytes: speech.MODEL_MEMORY_LIMIT || undefined,
    graphs: {
      cacheFolder: resolve(data.SCRIBE_DATA_DIR, "graphs"),
      precision: speech.SPEECH_PRECISION,
      probe: resolve(bundledDir, "sample/dialogue.wav"),
    },
    onRuns: showBatches(registry),
    onFallback: showFallbacks(registry),
    log: ({ level, message, ...fields }) => log[level](fields, message),
  });
  const hub = openHub(speech, resolve(data.SCRIBE_DATA_DIR));
  const places = {
    modelDir: hub.cacheFolder,
    bundledDir,
    offered: [speech.SCRIBE_MODEL, ...speech.SCRIBE_MODELS],
    names: speech.SCRIBE_MODEL_NAMES,
  };
  needOffered(places);
  const models = createModelFinder(places, hub, log);
  models.fetchOffered();
  const never = new AbortController().signal;
  for (const name of speech.MODEL_PRELOAD) {
    Promise.resolve(models.find(name))
      .then((folder) => runtime.preload(folder, never))
      .then((computation) => log.info({ model: name, computation }, "a model is loaded"))
      .catch((err: unknown) => log.warn({ err, model: name }, "a model could not be loaded ahead of time"));
  }
  const onnx = createOnnxEngine({ runtime, models });
  showSpeech(registry, runtime, onnx);
  const engines = new Map<string, FittedEngine>([["onnx", { engine: onnx }]]);
  if (http.SCRIBE_ENABLE_SYNTHETIC) engines.set("synthetic", { engine: createSyntheticEngine(), secondsWithoutAudio });
  return engines;
}

const providersInOrder = ({ speech }: Pick<Config, "speech">): string[] =>
  speech.EXECUTION_PROVIDERS.flatMap((name) => (name === "auto" ? ["cuda", "webgpu", "cpu"] : [name]));

/** Waits for work to end, for a time, or until `force`; what becomes of the work is its own matter. */
async function settledWithin(work: Promise<unknown>, limitMs: number, force?: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((done) => {
    timer = setTimeout(done, limitMs);
    force?.addEventListener("abort", () => done(), { once: true });
    if (force?.aborted) done();
    work.then(
      () => done(),
      () => done(),
    );
  });
  clearTimeout(timer);
}
