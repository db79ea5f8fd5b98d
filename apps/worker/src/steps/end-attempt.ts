import { setTimeout as delay } from "node:timers/promises";
import { failAttempt, handBack, isDatabaseUnavailable } from "@scribe/database";
import { toJobError } from "@scribe/domain";
import type { Attempt, WorkerParts } from "../attempt.ts";
import { WorkStopped } from "../work-stopped.ts";

export type AttemptOutcome =
  | "completed"
  /** An error was reported; another attempt comes, or none. */
  | "retry"
  | "failed"
  /** Given back uncharged. */
  | "handed_back"
  /** Somebody else's by now, or cancelled: nothing was written. */
  | "dropped";

/** Says how an attempt ended that did not complete. Whatever is written is fenced like everything else. */
export async function endAttempt(error: unknown, attempt: Attempt, parts: WorkerParts): Promise<AttemptOutcome> {
  if (error instanceof WorkStopped) return await stop(error, attempt, parts);
  const death = readChildDeath(error);
  if (death !== null) {
    attempt.log.warn({ err: error, childDeath: death }, "the engine's process died");
    return toOutcome(
      await insist(attempt, parts, () => handBack(parts.db, attempt.lease, { childDeath: death })),
      attempt,
      parts,
    );
  }
  const jobError = toJobError(error);
  attempt.log.warn({ err: jobError.cause ?? jobError, code: jobError.code }, "the attempt ended with an error");
  const { maxAttempts, backoffSeconds } = parts.settings;
  const noSooner = (n: number) => Math.max(backoffSeconds(n), jobError.retryAfterSeconds ?? 0);
  const answer = await insist(attempt, parts, () =>
    failAttempt(parts.db, attempt.lease, jobError, { maxAttempts, backoffSeconds: noSooner }),
  );
  return toOutcome(answer, attempt, parts);
}

async function stop({ reason }: WorkStopped, attempt: Attempt, parts: WorkerParts): Promise<AttemptOutcome> {
  switch (reason) {
    case "lost":
      parts.metrics.refusedWrites.inc();
      attempt.log.info("the lease is lost; the work stops");
      return "dropped";
    case "cancelled":
    case "overdue":
      // Cancelled is for ever; a lease that is left to run out counts as a crash, which ends a job that hangs workers.
      attempt.log.info({ reason }, "the work stops");
      return "dropped";
    case "expired":
    case "database":
    case "shutdown":
      return toOutcome(await insist(attempt, parts, () => handBack(parts.db, attempt.lease)), attempt, parts);
    default:
      return reason satisfies never;
  }
}

type Answer = "again" | "retry" | "failed" | "lost";

function toOutcome(answer: Answer, { job, log }: Attempt, parts: WorkerParts): AttemptOutcome {
  switch (answer) {
    case "again":
      parts.poke("transcription");
      return "handed_back";
    case "retry":
      parts.notifications.publishEvents(job.id);
      parts.poke("transcription");
      return "retry";
    case "failed":
      parts.notifications.publishEvents(job.id);
      parts.poke("webhooks");
      return "failed";
    case "lost":
      parts.metrics.refusedWrites.inc();
      log.info("the lease is lost; nothing was written");
      return "dropped";
    default:
      return answer satisfies never;
  }
}

/** A Postgres that restarts is away for seconds. Beyond the lease there is nothing left to write: another has the job. */
async function insist<T>({ log }: Attempt, { settings }: WorkerParts, write: () => Promise<T>): Promise<T | "lost"> {
  const endsAtMs = performance.now() + settings.leaseSeconds * 1000;
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error;
      if (performance.now() > endsAtMs) {
        log.warn({ err: error }, "Postgres is away; the lease is left to run out");
        return "lost";
      }
      await delay(200);
    }
  }
}

/** The engine port's word on a process that died: whether this job was by itself in it. */
function readChildDeath(error: unknown): "alone" | "shared" | null {
  if (!(error instanceof Error) || (error as { childDeath?: unknown }).childDeath !== true) return null;
  const { jobsHeld } = error as { jobsHeld?: unknown };
  return typeof jobsHeld === "number" && jobsHeld > 1 ? "shared" : "alone";
}
