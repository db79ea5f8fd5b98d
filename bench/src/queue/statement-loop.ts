import {
  claimJob,
  completeJob,
  dispatchRows,
  ensureTenant,
  openDatabase,
  recordWindow,
  tenantJobs,
} from "@scribe/database";
import type { BenchDatabase } from "../open-bench-database.ts";

const WINDOW = 32;
const TEXT = "This is window 1 of a rehearsal.";
const SEGMENT = { id: 0, start: 0, end: 30, text: TEXT, avg_logprob: -0.1, no_speech_prob: 0.01, compression_ratio: 1 };
const CHECKPOINT = { fingerprint: "bench", processedSeconds: 30, state: { nextWindow: 1 } };

/** The statements of a job's whole life, one after the other, without HTTP, keys, queue, leases' renewal and engine. */
export async function statementLoop(
  { url }: BenchDatabase,
  { jobs, atOnce }: { jobs: number; atOnce: number },
): Promise<number> {
  const encryptionKey = Buffer.alloc(32);
  const db = openDatabase({ url, poolSize: atOnce, encryptionKey, applicationName: "bench" });
  try {
    const tenant = await ensureTenant(db, "statement-loop");
    const mine = tenantJobs(db, tenant.id);
    let next = 0;
    const one = async () => {
      while (next++ < jobs) {
        const { id } = await mine.create({
          ...{ apiKeyId: null, engine: "synthetic", model: "synthetic", options: {}, priority: 2, audioSeconds: 300 },
          ...{ source: { kind: "url", url: "https://example.org/talk.mp3" }, metadata: {}, webhookEvents: [] },
        });
        await dispatchRows(db, "transcription", WINDOW);
        const job = await claimJob(db, id, { workerId: "bench", leaseSeconds: 30 });
        if (job === null) throw new Error("A job could not be claimed.");
        const lease = { jobId: id, epoch: job.leaseEpoch };
        const segment = { ...SEGMENT, temperature: 0 };
        await recordWindow(db, lease, { segments: [segment], progress: 95, checkpoint: CHECKPOINT });
        await completeJob(db, lease, {
          ...{
            text: TEXT,
            language: "en",
            languageProbability: 1,
            duration: 30,
            wordsMethod: "synthetic",
            warnings: [],
          },
        });
      }
    };
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: atOnce }, one));
    return jobs / ((performance.now() - startedAt) / 1000);
  } finally {
    await db.close();
  }
}
