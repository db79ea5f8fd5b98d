import type { Policy } from "./policies.ts";
import { random, type Trace } from "./traces.ts";

export interface Fleet {
  /** Audio seconds a second of a worker with all its slots. */
  workerSpeed: number;
  slots: number;
  mostWorkers: number;
  targetWaitSeconds: number;
  coldStartSeconds: number;
}

export interface Outcome {
  /** From submission to the first claim, of each job. */
  waits: number[];
  gpuHours: number;
  finishedAtSeconds: number;
}

interface Job {
  atSeconds: number;
  audioSeconds: number;
  restSeconds: number;
  claimedAtSeconds: number | null;
  /** A lost worker's lease must run out before another may claim. */
  dueAtSeconds: number;
}

interface Worker {
  upAtSeconds: number;
  jobs: Job[];
}

/** Of the ScaledObject: how often it asks, and for how long it waits before it takes away. */
const POLL_SECONDS = 15;
const SETTLE_SECONDS = 300;
const LEASE_SECONDS = 30;
/** What is lost with a worker of a job: the window under way. */
const WINDOW_SECONDS = 30;

/**
 * Plays a trace second by second: first come, first served, a slot a job; machines come after their cold start and are
 * paid from the moment they are asked for. A worker that is taken away by scaling hands its jobs back at once, one that is
 * lost is noticed by its leases.
 */
export function simulate(trace: Trace, policy: Policy, fleet: Fleet): Outcome {
  const next = random(3);
  const slotSpeed = fleet.workerSpeed / fleet.slots;
  const waiting: Job[] = [];
  let head = 0;
  const back: Job[] = [];
  let workers: Worker[] = [];
  const asked: { atSeconds: number; count: number }[] = [];
  const waits: number[] = [];
  const coming = [...trace.submissions].sort((a, b) => a.atSeconds - b.atSeconds);
  let arrived = 0;
  let done = 0;
  let gpuSeconds = 0;
  let queuedAudio = 0;
  let now = 0;

  const leave = (worker: Worker, delaySeconds: number) => {
    for (const job of worker.jobs) {
      if (delaySeconds > 0) job.restSeconds = Math.min(job.audioSeconds, job.restSeconds + WINDOW_SECONDS / 2);
      job.dueAtSeconds = now + delaySeconds;
      queuedAudio += job.restSeconds;
      back.push(job);
    }
  };

  const takeNext = (): Job | undefined => {
    const at = back.findIndex((job) => job.dueAtSeconds <= now);
    const job = at >= 0 ? back.splice(at, 1)[0] : head < waiting.length ? waiting[head++] : undefined;
    if (job) queuedAudio -= job.restSeconds;
    return job;
  };

  for (; done < coming.length; now++) {
    for (; arrived < coming.length && coming[arrived]!.atSeconds <= now; arrived++) {
      const { atSeconds, audioSeconds } = coming[arrived]!;
      waiting.push({ atSeconds, audioSeconds, restSeconds: audioSeconds, claimedAtSeconds: null, dueAtSeconds: 0 });
      queuedAudio += audioSeconds;
    }

    for (const worker of workers) {
      if (worker.upAtSeconds > now) continue;
      for (let at = worker.jobs.length - 1; at >= 0; at--) {
        const job = worker.jobs[at]!;
        job.restSeconds -= slotSpeed;
        if (job.restSeconds > 0) continue;
        worker.jobs.splice(at, 1);
        done++;
      }
      while (worker.jobs.length < fleet.slots) {
        const job = takeNext();
        if (!job) break;
        if (job.claimedAtSeconds === null) {
          job.claimedAtSeconds = now;
          waits.push(Math.max(0, now - job.atSeconds));
        }
        worker.jobs.push(job);
      }
    }
    gpuSeconds += workers.length;

    const { lossEverySeconds } = trace;
    const up = workers.filter((worker) => worker.upAtSeconds <= now);
    if (lossEverySeconds && now > 0 && now % lossEverySeconds === 0 && up.length > 0) {
      const lost = up[Math.floor(next() * up.length)]!;
      workers = workers.filter((worker) => worker !== lost);
      leave(lost, LEASE_SECONDS);
    }

    if (now % POLL_SECONDS === 0) {
      const busySlots = up.reduce((sum, { jobs }) => sum + jobs.length, 0);
      const running = workers.flatMap(({ jobs }) => jobs).reduce((sum, { restSeconds }) => sum + restSeconds, 0);
      const wanted = policy.wanted(
        {
          queueLength: waiting.length - head + back.length,
          backlogAudioSeconds: queuedAudio + running,
          busy: up.length === 0 ? 0 : busySlots / (up.length * fleet.slots),
          workersUp: up.length,
          workersAsked: workers.length,
        },
        fleet,
      );
      asked.push({ atSeconds: now, count: Math.min(fleet.mostWorkers, Math.max(policy.least, wanted)) });
      while (asked[0]!.atSeconds < now - SETTLE_SECONDS) asked.shift();
      // Up at once, down to the most that was wanted of late.
      const count = Math.max(...asked.map((one) => one.count));
      while (workers.length < count) workers.push({ upAtSeconds: now + fleet.coldStartSeconds, jobs: [] });
      if (workers.length > count) {
        // Those that come, then those that have the least to do.
        workers.sort((a, b) => a.upAtSeconds - b.upAtSeconds || b.jobs.length - a.jobs.length);
        for (const worker of workers.splice(count)) leave(worker, 0);
      }
    }
  }
  return { waits, gpuHours: gpuSeconds / 3600, finishedAtSeconds: now };
}
