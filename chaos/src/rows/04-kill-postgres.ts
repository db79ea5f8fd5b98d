import { setTimeout as sleep } from "node:timers/promises";
import { type Row, scaled } from "../row.ts";
import { allEnded, judge, newLedger, submitMany } from "../stage/ledger.ts";
import { openStage } from "../stage/open-stage.ts";

const AWAY_MS = 2_000;

/** The database dies under load. Clients are told when to come again, and everything goes on by itself. */
export const killPostgres: Row = {
  number: 4,
  fault: "Postgres kill -9",
  async run(options) {
    const stage = await openStage({ backend: options.backend, workers: 3 });
    const ledger = newLedger();
    const kills = scaled(5, options, 1);
    let told = 0;
    const wrong: string[] = [];
    try {
      const jobs = scaled(300, options, 30);
      const submitting = submitMany(stage, ledger, jobs, () => ({ windows: 8, delayMs: 200 }));
      for (let faults = 0; faults < kills; faults++) {
        await sleep(3_000);
        await stage.postgres.kill();
        const until = performance.now() + AWAY_MS;
        while (performance.now() < until) {
          const answer = await stage.call("/api/v1/jobs?limit=1").catch(() => null);
          if (answer?.status === 503 && answer.headers.has("retry-after")) told += 1;
          else wrong.push(`GET while Postgres is away: ${answer ? answer.status : "no answer"}`);
          await sleep(100);
        }
        await stage.postgres.restart();
      }
      await submitting;
      await allEnded(stage, ledger, 180_000);
      const verdict = await judge(stage, ledger);
      verdict.unexpected.push(...wrong);
      if (told === 0) verdict.unexpected.push("nobody was told 503");
      const notes = [`${told} reads answered 503 with Retry-After`, `${ledger.repeatedPosts} posts sent again`];
      return { ...verdict, faults: kills, notes };
    } finally {
      await stage.close();
    }
  },
};
