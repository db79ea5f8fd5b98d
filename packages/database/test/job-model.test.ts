import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { isTerminal, JobError, type JobStatus, mayBecome } from "@scribe/domain";
import fc from "fast-check";
import {
  claimJob,
  completeJob,
  failAttempt,
  handBack,
  type Lease,
  MAX_CHILD_DEATHS,
  MAX_CRASHES,
  recordWindow,
  renewLease,
} from "../src/index.ts";
import { anOutcome, aWindow, type DatabaseBench, letLeaseRunOut, openBench, WITH_WEBHOOK } from "./database-bench.ts";

const MAX_ATTEMPTS = 3;

/** What a job is, as simply as it can be said. */
interface Model {
  status: JobStatus;
  epoch: number;
  lease: "none" | "held" | "lapsed";
  due: boolean;
  attempts: number;
  crashes: number;
  childDeaths: number;
  runAlone: boolean;
  segments: number;
  /** Epochs of all leases that were ever given, newest last. */
  leases: number[];
}

/** The job in the database, through the same doors that workers use. */
interface Real {
  bench: DatabaseBench;
  id: string;
}

const alive = ({ status }: Model) => !isTerminal(status);
/** Whether a write with this epoch must be let through. */
const holds = (model: Model, epoch: number) => model.status === "processing" && model.epoch === epoch;

function end(model: Model, status: JobStatus): void {
  model.status = status;
  model.lease = "none";
  if (status !== "completed") model.epoch += 1;
}

/** A step that a worker, a client or time may take at any moment; after it, model and database agree. */
abstract class Step implements fc.AsyncCommand<Model, Real> {
  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const before = model.status;
    await this.take(model, real);
    await agree(before, model, real);
  }

  abstract take(model: Model, real: Real): Promise<void>;
  abstract toString(): string;
}

class Claim extends Step {
  async take(model: Model, { bench, id }: Real) {
    const claimed = await claimJob(bench.db, id, { workerId: "w", leaseSeconds: 300 });
    if (!alive(model) || !model.due || model.lease === "held") return expect(claimed).toBeNull();
    model.crashes += model.lease === "lapsed" ? 1 : 0;
    model.epoch += 1;
    model.status = "processing";
    model.lease = "held";
    if (model.crashes >= MAX_CRASHES) {
      end(model, "failed");
      return expect(claimed).toBeNull();
    }
    model.leases.push(model.epoch);
    expect(claimed).toMatchObject({ leaseEpoch: model.epoch, segmentCount: model.segments, runAlone: model.runAlone });
  }
  toString = () => "claim";
}

/** Steps of whoever had a lease: `age` 0 is the newest that was given, 1 the one before. */
abstract class HolderStep extends Step {
  readonly age: number;
  constructor(age: number) {
    super();
    this.age = age;
  }
  override check = (model?: Model): boolean => (model?.leases.length ?? 0) > this.age;
  async take(model: Model, real: Real) {
    const epoch = model.leases.at(-1 - this.age)!;
    await this.write(model, real, { jobId: real.id, epoch }, holds(model, epoch));
  }
  abstract write(model: Model, real: Real, lease: Lease, held: boolean): Promise<void>;
}

class Renew extends HolderStep {
  async write(model: Model, { bench }: Real, lease: Lease, held: boolean) {
    expect(await renewLease(bench.db, lease, 300)).toBe(held);
    if (held) model.lease = "held";
  }
  toString = () => `renew(${this.age})`;
}

class FinishWindow extends HolderStep {
  async write(model: Model, { bench }: Real, lease: Lease, held: boolean) {
    expect(await recordWindow(bench.db, lease, aWindow(model.segments))).toBe(held);
    if (!held) return;
    model.segments += 1;
    model.crashes = 0;
  }
  toString = () => `window(${this.age})`;
}

class Complete extends HolderStep {
  async write(model: Model, { bench }: Real, lease: Lease, held: boolean) {
    expect(await completeJob(bench.db, lease, anOutcome())).toBe(held);
    if (held) end(model, "completed");
  }
  toString = () => `complete(${this.age})`;
}

class Fail extends HolderStep {
  readonly retryable: boolean;
  constructor(age: number, retryable: boolean) {
    super(age);
    this.retryable = retryable;
  }
  async write(model: Model, { bench }: Real, lease: Lease, held: boolean) {
    const error = new JobError("provider_error", "x", { retryable: this.retryable });
    const policy = { maxAttempts: MAX_ATTEMPTS, backoffSeconds: () => 3600 };
    const outcome = await failAttempt(bench.db, lease, error, policy);
    if (!held) return expect(outcome).toBe("lost");
    model.attempts += 1;
    if (!this.retryable || model.attempts === MAX_ATTEMPTS) {
      end(model, "failed");
      return expect(outcome).toBe("failed");
    }
    Object.assign(model, { epoch: model.epoch + 1, lease: "none", due: false });
    expect(outcome).toBe("retry");
  }
  toString = () => `fail(${this.age}, ${this.retryable ? "retryable" : "for good"})`;
}

class HandBack extends HolderStep {
  readonly death: "alone" | "shared" | undefined;
  constructor(age: number, death: "alone" | "shared" | undefined) {
    super(age);
    this.death = death;
  }
  async write(model: Model, { bench }: Real, lease: Lease, held: boolean) {
    const outcome = await handBack(bench.db, lease, this.death === undefined ? {} : { childDeath: this.death });
    if (!held) return expect(outcome).toBe("lost");
    Object.assign(model, { epoch: model.epoch + 1, lease: "none", due: true });
    if (this.death !== undefined) model.runAlone = true;
    if (this.death === "alone") model.childDeaths += 1;
    if (model.childDeaths === MAX_CHILD_DEATHS) end(model, "failed");
    expect(outcome).toBe(model.status === "failed" ? "failed" : "again");
  }
  toString = () => `handBack(${this.age}, ${this.death})`;
}

class Cancel extends Step {
  async take(model: Model, { bench, id }: Real) {
    const cancel = await bench.jobs.cancel(id);
    expect(cancel?.outcome).toBe(alive(model) ? "cancelled" : "was_terminal");
    if (alive(model)) end(model, "cancelled");
  }
  toString = () => "cancel";
}

class LetLeaseRunOut extends Step {
  override check = (model?: Model) => model?.lease === "held";
  async take(model: Model, { bench, id }: Real) {
    await letLeaseRunOut(bench, id);
    model.lease = "lapsed";
  }
  toString = () => "lease runs out";
}

class LetTimePass extends Step {
  override check = (model?: Model) => model?.due === false;
  async take(model: Model, { bench, id }: Real) {
    await bench.sql("UPDATE jobs SET next_run_at = now() - interval '1 second' WHERE id = $1", [id]);
    model.due = true;
  }
  toString = () => "backoff ends";
}

async function agree(before: JobStatus, model: Model, { bench, id }: Real): Promise<void> {
  const { leases: _, lease, due: __, ...expected } = model;
  const [row] = await bench.sql(
    `SELECT status, lease_epoch AS epoch, lease_until IS NOT NULL AS leased, attempts, crashes, child_deaths AS "childDeaths",
       run_alone AS "runAlone", (SELECT count(*)::int FROM segments WHERE job_id = jobs.id) AS segments,
       EXISTS (SELECT 1 FROM transcripts WHERE job_id = jobs.id) AS transcript,
       (SELECT count(*)::int FROM job_events WHERE job_id = jobs.id AND type = 'done') AS dones,
       (SELECT count(*)::int FROM job_events WHERE job_id = jobs.id AND type = 'segment') AS told,
       (SELECT count(*)::int FROM webhook_deliveries WHERE job_id = jobs.id AND type <> 'job.started') AS deliveries
     FROM jobs WHERE id = $1`,
    [id],
  );
  const ended = isTerminal(model.status) ? 1 : 0;
  expect(row).toEqual({
    ...expected,
    leased: lease !== "none",
    transcript: model.status === "completed",
    dones: ended,
    told: model.segments,
    deliveries: ended,
  });
  if (before !== model.status) expect(mayBecome(before, model.status)).toBe(true);
}

const age = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) });
const STEPS = [
  fc.constant(new Claim()),
  fc.constant(new Claim()),
  fc.constant(new Claim()),
  age.map((n) => new Renew(n)),
  age.map((n) => new FinishWindow(n)),
  age.map((n) => new FinishWindow(n)),
  fc.tuple(age, fc.boolean()).map(([n, retryable]) => new Fail(n, retryable)),
  fc.tuple(age, fc.constantFrom("alone", "shared", undefined)).map(([n, death]) => new HandBack(n, death)),
  fc.constant(new LetLeaseRunOut()),
  fc.constant(new LetLeaseRunOut()),
  fc.constant(new LetTimePass()),
];
/** Ends come seldom, so that most lives are long. */
const LAST_STEPS = [age.map((n) => new Complete(n)), fc.constant(new Cancel())];

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** `npm run chaos` asks for more lives. */
const RUNS = Number(process.env.MODEL_RUNS ?? 30);
/** Lives that run at once: each is one job, and waits for the database most of the time. */
const AT_ONCE = RUNS > 100 ? 8 : 1;

test(
  "whatever workers, clients and time do, a job goes by its model",
  async () => {
    const lives = fc.commands([...STEPS, ...STEPS, ...LAST_STEPS], { maxCommands: 40, size: "max" });
    let steps = 0;
    const live = fc.asyncProperty(lives, async (commands) => {
      const { id } = await bench.create(WITH_WEBHOOK);
      const model: Model = {
        ...{ status: "pending", epoch: 0, lease: "none", due: true, attempts: 0, crashes: 0, childDeaths: 0 },
        ...{ runAlone: false, segments: 0, leases: [] },
      };
      await fc.asyncModelRun(() => ({ model, real: { bench, id } }), commands);
      steps += [...commands].length;
    });
    const numRuns = Math.ceil(RUNS / AT_ONCE);
    await Promise.all(Array.from({ length: AT_ONCE }, () => fc.assert(live, { numRuns })));
    expect(steps).toBeGreaterThan(10 * RUNS);
  },
  30_000 + 200 * RUNS,
);
