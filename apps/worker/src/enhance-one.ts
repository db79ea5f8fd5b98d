import {
  type ClaimedEnhancement,
  claimEnhancement,
  completeEnhancement,
  type EnhancementLease,
  type EnhancementRetry,
  failEnhancementAttempt,
  handBackEnhancement,
  isDatabaseUnavailable,
  keepStep,
  readTranscript,
  renewEnhancement,
} from "@scribe/database";
import { EnhancementError } from "@scribe/domain";
import {
  type ChatEndpoint,
  type Enhanced,
  enhance,
  type KeptSteps,
  sourceOfText,
  sourceOfTranscript,
} from "@scribe/enhancement";
import type { Logger } from "@scribe/telemetry";
import type { WorkerParts } from "./attempt.ts";
import type { HeldJobs } from "./held-jobs.ts";
import { keepLease, type LeaseKeeper } from "./keep-lease.ts";
import { asked, held as fenced, WorkStopped } from "./work-stopped.ts";

export interface EnhancementSettings {
  chat: ChatEndpoint;
  contextTokens: number;
  leaseSeconds: number;
  /** How long one question may take, with all its tries. */
  questionLimitMs: number;
  retry: EnhancementRetry;
}

/** What works on enhancements works with; `held` are those of this role alone. */
export interface EnhancementParts extends Pick<WorkerParts, "workerId" | "db" | "metrics" | "tracer" | "log" | "poke"> {
  held: HeldJobs;
  settings: EnhancementSettings;
}

export type EnhancementEnd = "completed" | "retry" | "failed" | "handed_back" | "dropped";

/** The way of one enhancement: claim → read the transcript → ask, each answer kept → commit. Every write is fenced. */
export async function enhanceOne(id: string, parts: EnhancementParts): Promise<EnhancementEnd | "not_claimed"> {
  const { db, workerId, settings, metrics } = parts;
  const claimedAtMs = performance.now();
  const row = await claimEnhancement(db, id, { workerId, leaseSeconds: settings.leaseSeconds });
  if (row === null) return "not_claimed";
  const lease = { jobId: id, epoch: row.leaseEpoch };
  const log = parts.log.child({ enhancementId: id, tenant: row.tenantId, epoch: lease.epoch });
  const place = parts.held.add(lease);
  // The claim made room in the window.
  parts.poke("enhancement");
  const keeper = keepLease({
    renew: () => renewEnhancement(db, lease, settings.leaseSeconds),
    leaseSeconds: settings.leaseSeconds,
    claimedAtMs,
    onOverdue: (operation) => log.error({ operation }, "a step is overdue; its lease is not renewed"),
  });
  const signal = AbortSignal.any([keeper.signal, place.signal]);
  const span = parts.tracer.start("enhance", {
    kind: "consumer",
    parent: row.traceparent,
    attributes: { "scribe.enhancement": id, "scribe.model": settings.chat.model },
  });
  const startedAt = performance.now();
  try {
    const end = await tryOne(row, lease, { keeper, signal, log }, parts).catch((error: unknown) =>
      endOne(signal.aborted ? signal.reason : error, lease, log, parts),
    );
    metrics.enhancements.inc({ outcome: end });
    metrics.enhancementSeconds.observe({ outcome: end }, (performance.now() - startedAt) / 1000);
    span.end(end === "failed" || end === "retry" ? `the attempt ended: ${end}` : undefined);
    if (row.webhookUrl !== null && (end === "completed" || end === "failed")) parts.poke("webhooks");
    if (end === "retry" || end === "handed_back") parts.poke("enhancement");
    return end;
  } finally {
    keeper.close();
    place.remove();
  }
}

interface Hold {
  keeper: LeaseKeeper;
  signal: AbortSignal;
  log: Logger;
}

async function tryOne(
  row: ClaimedEnhancement,
  lease: EnhancementLease,
  { keeper, signal, log }: Hold,
  parts: EnhancementParts,
): Promise<"completed"> {
  const { db, settings } = parts;
  const source = await readSource(row, parts);
  const { outputs, warnings }: Enhanced = await enhance({
    source,
    tasks: row.tasks,
    options: row.options,
    chat: settings.chat,
    contextTokens: settings.contextTokens,
    steps: keptSteps(row, lease, parts),
    signal,
    onAsk: () => keeper.announce("ask", settings.questionLimitMs),
  });
  signal.throwIfAborted();
  await fenced(completeEnhancement(db, lease, { model: settings.chat.model, outputs, warnings }));
  log.info({ tasks: row.tasks }, "the enhancement is completed");
  return "completed";
}

async function readSource({ jobId, text }: ClaimedEnhancement, { db }: EnhancementParts) {
  if (jobId === null) return sourceOfText(text ?? "");
  const transcript = await asked(readTranscript(db.pool, jobId));
  // It was there when the row was made, and takes the row along when it goes.
  if (transcript === null) throw new WorkStopped("lost");
  return sourceOfTranscript(transcript);
}

function keptSteps(row: ClaimedEnhancement, lease: EnhancementLease, { db, metrics }: EnhancementParts): KeptSteps {
  const steps = new Map(row.steps);
  return {
    get: (step) => steps.get(step),
    async keep(step, { value, progress, promptTokens, completionTokens }) {
      metrics.enhancementQuestions.inc();
      metrics.enhancementTokens.inc({ kind: "prompt" }, promptTokens);
      metrics.enhancementTokens.inc({ kind: "completion" }, completionTokens);
      await fenced(keepStep(db, lease, { step, data: value, progress, promptTokens, completionTokens }));
      steps.set(step, value);
    },
  };
}

/** Ends an attempt that did not complete. What cannot be written down is left to the lease's end. */
async function endOne(
  thrown: unknown,
  lease: EnhancementLease,
  log: Logger,
  { db, settings }: EnhancementParts,
): Promise<EnhancementEnd> {
  try {
    if (thrown instanceof WorkStopped) {
      if (thrown.reason !== "shutdown") {
        log.info({ reason: thrown.reason }, "the enhancement is no longer ours");
        return "dropped";
      }
      return (await handBackEnhancement(db, lease)) ? "handed_back" : "dropped";
    }
    const error =
      thrown instanceof EnhancementError
        ? thrown
        : new EnhancementError("internal", "Something went wrong on our side; it will be tried again.", {
            cause: thrown,
          });
    const outcome = await failEnhancementAttempt(db, lease, error, settings.retry);
    log[error.code === "internal" ? "error" : "warn"]({ err: thrown, outcome }, "an attempt of an enhancement failed");
    return outcome === "lost" ? "dropped" : outcome;
  } catch (error) {
    if (!isDatabaseUnavailable(error)) throw error;
    log.warn({ err: error }, "how the enhancement went could not be written down; its lease runs out");
    return "dropped";
  }
}
