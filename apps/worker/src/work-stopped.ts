import { isDatabaseUnavailable } from "@scribe/database";

/** Why work on a job ends before it is done, other than by an error of its own. */
export type StopReason =
  /** Another holds the job, or it has ended: nothing more may be written. */
  | "lost"
  /** The caller cancelled the job: as `lost`, but known before a write was refused. */
  | "cancelled"
  /** The lease could not be renewed in time: Postgres was away, or this process was paused. */
  | "expired"
  /** An announced operation outlived its deadline, and so the lease: the job may be what makes workers hang. */
  | "overdue"
  /** Postgres could not be asked: what was written last is unknown, so the next attempt starts from what it holds. */
  | "database"
  /** This worker goes down: the job is handed back. */
  | "shutdown";

export class WorkStopped extends Error {
  override readonly name = "WorkStopped";
  readonly reason: StopReason;

  constructor(reason: StopReason, details: { cause?: unknown } = {}) {
    super(`work stopped: ${reason}`, details);
    this.reason = reason;
  }
}

/** Waits for the database; that it cannot be reached is no fault of the job's. */
export async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw isDatabaseUnavailable(error) ? new WorkStopped("database", { cause: error }) : error;
  }
}

/** Waits for a fenced write, and ends the work where it was refused: whoever is refused writes nothing more. */
export async function held(write: Promise<boolean>): Promise<void> {
  if (!(await asked(write))) throw new WorkStopped("lost");
}
