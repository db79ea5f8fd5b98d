import { setTimeout as sleep } from "node:timers/promises";
import { type Row, scaled } from "../row.ts";
import { openStage, type Stage } from "../stage/open-stage.ts";

/** Equal posts race on two replicas; one job a key, and every post is answered with it. */
export const equalPosts: Row = {
  number: 10,
  fault: "equal posts at once",
  async run(options) {
    const stage = await openStage({
      backend: options.backend,
      workers: 1,
      apis: 2,
      env: { WORKER_ROLES: "maintenance" },
    });
    const unexpected: string[] = [];
    try {
      const one = Array.from({ length: 50 }, () => "one");
      const keys = Array.from({ length: scaled(1000, options, 100) }, (_, n) => `key-${n % scaled(100, options, 10)}`);
      const first = await race(stage, one, unexpected);
      const many = await race(stage, keys, unexpected);
      const { rows } = await stage.pool.query<{ count: number }>("SELECT count(*)::int AS count FROM jobs");
      const jobs = rows[0]!.count;
      const distinct = new Set(one).size + new Set(keys).size;
      if (jobs !== distinct) unexpected.push(`${jobs} jobs for ${distinct} keys`);
      return {
        ...{
          jobs: distinct,
          lost: Math.max(0, distinct - jobs),
          duplicated: Math.max(0, jobs - distinct),
          recovered: 0,
        },
        ...{ unexpected, faults: one.length + keys.length },
        notes: [`${first.replays + many.replays} answers were replays, ${first.again + many.again} said to come again`],
      };
    } finally {
      await stage.close();
    }
  },
};

/** Posts all keys at once; returns how many answers were replays, and how many said to come again. */
async function race(stage: Stage, keys: string[], unexpected: string[]) {
  let again = 0;
  const jobOf = new Map<string, string>();
  let replays = 0;
  const post = async (key: string, replica: number): Promise<void> => {
    const headers = { "content-type": "application/json", "idempotency-key": key };
    const body = JSON.stringify({ url: stage.audioUrl, recording_id: key });
    const answer = await stage.call("/api/v1/transcribe", { method: "POST", headers, body }, replica);
    // Told to come again: an equal post is under way, or a thousand at once are more than the pools hold.
    if ((answer.status === 409 || answer.status === 503) && answer.headers.has("retry-after")) {
      await answer.text();
      again += 1;
      await sleep(200);
      return await post(key, replica);
    }
    if (answer.status !== 202) return void unexpected.push(`${key}: ${answer.status} ${await answer.text()}`);
    const { job_id: id } = (await answer.json()) as { job_id: string };
    if (answer.headers.get("idempotency-replayed") === "true") replays += 1;
    const before = jobOf.get(key);
    if (before !== undefined && before !== id) unexpected.push(`${key}: jobs ${before} and ${id}`);
    jobOf.set(key, id);
  };
  await Promise.all(keys.map(post));
  return { replays, again };
}
