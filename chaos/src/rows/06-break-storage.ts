import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeWav, tone } from "@scribe/testing";
import { type Row, scaled } from "../row.ts";
import { allEnded, judge, newLedger, submit } from "../stage/ledger.ts";
import { openStage, type Stage } from "../stage/open-stage.ts";

const FAULTS = resolve(import.meta.dirname, "../faults/disk-faults.ts");
const SCRIPT = { windows: 4, delayMs: 20, audio: true };

/** The disk under the audio fails, hangs, ends early and is full, in API and workers alike. */
export const breakStorage: Row = {
  number: 6,
  fault: "storage: 30 % errors, hangs, truncated reads, disk full",
  async run(options) {
    const stage = await openStage({ backend: options.backend, workers: 3, env: { MAX_ATTEMPTS: "20" } });
    const ledger = newLedger();
    const unexpected: string[] = [];
    const refused = new Map<number, number>();
    try {
      const faults = { CHAOS_DISK_ROOT: join(stage.dataDir, "audio"), CHAOS_DISK_FAULTS: "0.3" };
      Object.assign(stage.env, faults, { NODE_OPTIONS: `--import ${FAULTS}` });
      await Promise.all([...stage.apis, ...stage.workers].map((child) => child.kill()));
      await Promise.all([stage.startApi(0), ...stage.workers.map((_, place) => stage.startWorker(place))]);

      const jobs = scaled(200, options, 12);
      const file = makeWav({ seconds: 4, signal: tone(330) });
      let next = 0;
      const some = async () => {
        while (next < jobs) {
          if (next++ % 2 === 0) await submit(stage, ledger, SCRIPT);
          else await upload(stage, file, ledger, refused, unexpected);
        }
      };
      await Promise.all(Array.from({ length: 6 }, some));
      await allEnded(stage, ledger, 400_000);
      // What is tried again may end as failed, and says that it was our side.
      const verdict = await judge(stage, ledger, { mayFail: (code) => code === "internal" });
      unexpected.push(...(await halfWritten(stage)));
      const { rows } = await stage.pool.query<{ status: string; count: number; attempts: number }>(
        "SELECT status, count(*)::int AS count, sum(attempts)::int AS attempts FROM jobs GROUP BY status ORDER BY status",
      );
      const injected = [...stage.apis, ...stage.workers].reduce((sum, child) => sum + countFaults(child.output()), 0);
      return {
        ...verdict,
        unexpected: [...verdict.unexpected, ...unexpected],
        faults: injected,
        notes: [
          rows.map(({ status, count, attempts }) => `${count} ${status} (${attempts} attempts charged)`).join(", "),
          `uploads refused: ${[...refused].map(([status, count]) => `${count} × ${status}`).join(", ") || "none"}`,
        ],
      };
    } finally {
      await stage.close();
    }
  },
};

/** Uploads until it is accepted; what storage did to it must be told as that. */
async function upload(
  stage: Stage,
  file: Uint8Array,
  ledger: ReturnType<typeof newLedger>,
  refused: Map<number, number>,
  unexpected: string[],
): Promise<void> {
  for (let round = 0; round < 50; round++) {
    const form = new FormData();
    const script = { window_seconds: 1, delay_ms: SCRIPT.delayMs, text: "Window {n}." };
    form.set("engine", "synthetic");
    form.set("metadata", JSON.stringify({ synthetic: JSON.stringify(script) }));
    form.set("webhook_url", `${stage.receiver.url}/hook`);
    form.set("file", new Blob([file as Uint8Array<ArrayBuffer>]), "a.wav");
    const answer = await stage.call("/api/v1/transcribe/upload", { method: "POST", body: form }).catch(() => null);
    if (answer?.status === 202) {
      ledger.accepted.set(((await answer.json()) as { job_id: string }).job_id, SCRIPT);
      return;
    }
    const status = answer?.status ?? 0;
    refused.set(status, (refused.get(status) ?? 0) + 1);
    if (status !== 503 && status !== 507) unexpected.push(`an upload was answered ${status}`);
    await sleep(50);
  }
  unexpected.push("an upload was refused fifty times");
}

/** Objects that rows name and that are not whole, by size and hash. */
async function halfWritten(stage: Stage): Promise<string[]> {
  const { rows } = await stage.pool.query<{ key: string; sha256: string; bytes: string }>(
    "SELECT audio_key AS key, audio_sha256 AS sha256, audio_bytes AS bytes FROM jobs WHERE audio_key IS NOT NULL",
  );
  const wrong: string[] = [];
  for (const { key, sha256, bytes } of rows) {
    const hash = createHash("sha256");
    let size = 0;
    try {
      for await (const chunk of createReadStream(join(stage.dataDir, "audio", key)) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        size += chunk.length;
      }
      if (size !== Number(bytes) || hash.digest("hex") !== sha256.trim()) wrong.push(`${key} is not whole`);
    } catch {
      wrong.push(`${key} is not there`);
    }
  }
  return wrong;
}

function countFaults(output: string): number {
  return [...output.matchAll(/chaos: /g)].length;
}
