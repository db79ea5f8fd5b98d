import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "@scribe/testing";
import type { Stage } from "./open-stage.ts";
import { verifyDeliveries } from "./verify-deliveries.ts";

/** What a job says, and how fast. */
export interface Script {
  windows: number;
  delayMs: number;
  /** Fetches and decodes a recording first. */
  audio?: boolean;
  /** The real model listens to the sample; this is what it says undisturbed. */
  said?: string;
}

export interface Ledger {
  /** Jobs that were accepted with 202, and what each must say. */
  accepted: Map<string, Script>;
  /** Answers that were no 202 and no 503 with Retry-After. */
  badAnswers: string[];
  /** Posts that were refused or got no answer, and were sent again under their key. */
  repeatedPosts: number;
}

export const newLedger = (): Ledger => ({ accepted: new Map(), badAnswers: [], repeatedPosts: 0 });

/** Submits a job, again and again under one Idempotency-Key until it is accepted, as a careful client does. */
export async function submit(
  stage: Stage,
  ledger: Ledger,
  script: Script,
  more: Record<string, unknown> = {},
): Promise<string> {
  const { windows, delayMs, audio = false, said } = script;
  const synthetic = { window_seconds: audio ? 4 / windows : 10, delay_ms: delayMs, text: "Window {n}." };
  const rehearsal = {
    url: stage.audioUrl,
    engine: "synthetic",
    metadata: { synthetic: JSON.stringify(audio ? synthetic : { ...synthetic, windows, audio }) },
  };
  // Without second hearings: the bundled model doubts what it hears, and takes five seconds over what is a window to it.
  const once = { temperature: 0, logprob_threshold: null, compression_ratio_threshold: null };
  const body = JSON.stringify({
    ...(said === undefined ? rehearsal : { url: stage.dialogueUrl, diarize: false, cache: false, ...once }),
    webhook_url: `${stage.receiver.url}/hook`,
    ...more,
  });
  const key = crypto.randomUUID();
  const headers = { "content-type": "application/json", "idempotency-key": key };
  for (let round = 0; ; round++) {
    const answer = await stage.call("/api/v1/transcribe", { method: "POST", headers, body }, round).catch(() => null);
    if (answer?.status === 202) {
      const { job_id: id } = (await answer.json()) as { job_id: string };
      ledger.accepted.set(id, script);
      return id;
    }
    ledger.repeatedPosts += 1;
    const mayComeBack = answer?.status === 503 || answer?.status === 409;
    if (answer && !(mayComeBack && answer.headers.has("retry-after"))) {
      ledger.badAnswers.push(`POST: ${answer.status} ${(await answer.text()).slice(0, 200)}`);
    }
    if (round > 600) throw new Error("A post was not accepted in a minute.");
    await sleep(100);
  }
}

/** Submits so many jobs, some at a time. */
export async function submitMany(
  stage: Stage,
  ledger: Ledger,
  count: number,
  script: (n: number) => Script,
): Promise<void> {
  let next = 0;
  const some = async () => {
    while (next < count) await submit(stage, ledger, script(next++));
  };
  await Promise.all(Array.from({ length: 8 }, some));
}

export interface Progress {
  ended: number;
  total: number;
}

export async function progress(stage: Stage, ledger: Ledger): Promise<Progress> {
  const { rows } = await stage.pool.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM jobs WHERE id = ANY($1::uuid[]) AND completed_at IS NOT NULL",
    [[...ledger.accepted.keys()]],
  );
  return { ended: rows[0]?.count ?? 0, total: ledger.accepted.size };
}

/** Waits until every accepted job has ended, however the database is doing meanwhile. */
export async function allEnded(stage: Stage, ledger: Ledger, timeoutMs: number): Promise<void> {
  const look = async () => {
    const { ended, total } = await progress(stage, ledger);
    return ended >= total;
  };
  await waitFor(look, { timeoutMs, everyMs: 250, what: "the end of all jobs" }).catch(() => undefined);
}

export interface Verdict {
  jobs: number;
  lost: number;
  duplicated: number;
  recovered: number;
  unexpected: string[];
}

interface Seen {
  id: string;
  status: string;
  error: { code: string } | null;
  epoch: number;
  text: string | null;
  dones: number;
  told: string[];
  transcripts: number;
}

/** What the script of a job must have said in the end. */
export function sayingOf({ windows, said }: Script): string {
  if (said !== undefined) return said;
  return Array.from({ length: windows }, (_, n) => `Window ${n + 1}.`).join(" ");
}

/**
 * Holds what is there against what was accepted: each job ended once, with the transcript of an undisturbed run, its
 * segments told once and in order, and its end delivered under one id.
 */
export async function judge(
  stage: Stage,
  ledger: Ledger,
  { mayFail = () => false, webhooks = true }: { mayFail?: (code: string) => boolean; webhooks?: boolean } = {},
): Promise<Verdict> {
  const { rows } = await stage.pool.query<Seen>(
    `SELECT id, status, error, lease_epoch AS epoch,
       (SELECT text FROM transcripts WHERE job_id = jobs.id) AS text,
       (SELECT count(*)::int FROM job_events WHERE job_id = jobs.id AND type = 'done') AS dones,
       (SELECT count(*)::int FROM transcripts WHERE job_id = jobs.id) AS transcripts,
       (SELECT coalesce(array_agg(data->>'text' ORDER BY ordinal), '{}') FROM job_events
        WHERE job_id = jobs.id AND type = 'segment') AS told
     FROM jobs WHERE id = ANY($1::uuid[])`,
    [[...ledger.accepted.keys()]],
  );
  const seen = new Map(rows.map((row) => [row.id, row]));
  const verdict: Verdict = {
    ...{ jobs: ledger.accepted.size, lost: 0, duplicated: 0, recovered: 0 },
    unexpected: [...ledger.badAnswers],
  };
  for (const [id, script] of ledger.accepted) {
    const job = seen.get(id);
    if (!job || job.status === "pending" || job.status === "processing") {
      verdict.lost += 1;
      verdict.unexpected.push(`${id}: ${job ? `still ${job.status}, epoch ${job.epoch}` : "no row"}`);
      continue;
    }
    if (job.dones !== 1 || new Set(job.told).size !== job.told.length) {
      verdict.duplicated += 1;
      verdict.unexpected.push(`${id}: epoch ${job.epoch}, ${job.dones} ends, told ${JSON.stringify(job.told)}`);
    }
    if (job.status === "completed") {
      const said = sayingOf(script);
      const told = job.told.map((text) => text.trim()).join(" ");
      if (job.text !== said || told !== said) verdict.unexpected.push(`${id}: says "${job.text}"`);
      if (job.epoch > 1) verdict.recovered += 1;
    } else if (job.status !== "failed" || !mayFail(job.error?.code ?? "")) {
      verdict.unexpected.push(`${id}: ${job.status} ${job.error?.code ?? ""}`);
    }
  }
  if (webhooks) await verifyDeliveries(stage, [...seen.values()], verdict);
  return verdict;
}

/** What the real model says of the sample when nobody disturbs it. */
export async function undisturbed(stage: Stage): Promise<string> {
  const ledger = newLedger();
  const id = await submit(stage, ledger, { windows: 0, delayMs: 0, said: "" });
  await allEnded(stage, ledger, 120_000);
  const { rows } = await stage.pool.query<{ text: string }>("SELECT text FROM transcripts WHERE job_id = $1", [id]);
  if (!rows[0]) throw new Error("The undisturbed job did not complete.");
  return rows[0].text;
}
