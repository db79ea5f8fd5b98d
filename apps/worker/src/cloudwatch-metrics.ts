import { type Database, type InstanceState, isDatabaseUnavailable, readInstanceState } from "@scribe/database";
import type { Logger } from "@scribe/telemetry";
import { ASSUMED_SLOT_SPEED } from "./instance-metrics.ts";

export interface CloudwatchOptions {
  db: Database;
  log: Logger;
  namespace: string;
  /** Of one worker that transcribes. */
  slots: number;
  everyMs?: number;
  /** Takes a line; standard output by default, whose lines CloudWatch Logs reads. */
  write?: (line: string) => void;
}

const EVERY_MS = 30_000;

const UNITS = {
  BacklogAudioSeconds: "Seconds",
  WaitSeconds: "Seconds",
  OldestWaitingSeconds: "Seconds",
  Workers: "Count",
  WaitingWithoutWorkers: "Count",
} as const;

/**
 * Tells CloudWatch what scaling on ECS goes by, as lines in its Embedded Metric Format: the log is the way, no call and
 * no permission is needed. Where Postgres is away nothing is told.
 */
export function tellCloudwatch(options: CloudwatchOptions): { close(): Promise<void> } {
  const { db, log, everyMs = EVERY_MS, write = (line) => void process.stdout.write(`${line}\n`) } = options;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function tell(): Promise<void> {
    try {
      write(JSON.stringify(embeddedMetrics(await readInstanceState(db), options, Date.now())));
    } catch (err) {
      log[isDatabaseUnavailable(err) ? "warn" : "error"]({ err }, "the instance's state could not be read");
    }
    if (!closed) timer = setTimeout(again, everyMs).unref();
  }
  const again = () => {
    running = tell();
  };
  let running = tell();

  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** One line: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html */
export function embeddedMetrics(
  state: InstanceState,
  { namespace, slots }: Pick<CloudwatchOptions, "namespace" | "slots">,
  nowMs: number,
) {
  const backlog = state.backlog.reduce((sum, { audioSeconds }) => sum + audioSeconds, 0);
  const workers = state.workers.find(({ role }) => role === "transcription")?.count ?? 0;
  const speed = (state.slotSpeed ?? ASSUMED_SLOT_SPEED) * slots;
  const values: Record<keyof typeof UNITS, number> = {
    BacklogAudioSeconds: backlog,
    WaitSeconds: backlog / (speed * Math.max(1, workers)),
    OldestWaitingSeconds: Math.max(0, state.queues.find(({ queue }) => queue === "transcription")?.oldestSeconds ?? 0),
    Workers: workers,
    WaitingWithoutWorkers: backlog > 0 && workers === 0 ? 1 : 0,
  };
  const metrics = Object.entries(UNITS).map(([Name, Unit]) => ({ Name, Unit }));
  return {
    _aws: { Timestamp: nowMs, CloudWatchMetrics: [{ Namespace: namespace, Dimensions: [[]], Metrics: metrics }] },
    ...values,
  };
}
