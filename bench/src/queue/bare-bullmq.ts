import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

/** Messages added and processed a second, with nothing around them. */
export async function bareBullmq(
  redisUrl: string,
  { jobs, atOnce }: { jobs: number; atOnce: number },
): Promise<number> {
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue("bench-bare", { connection: connection as never });
  let processed = 0;
  const ended = Promise.withResolvers<void>();
  const worker = new Worker(
    "bench-bare",
    async () => {
      if (++processed === jobs) ended.resolve();
    },
    { connection: connection.duplicate() as never, concurrency: atOnce },
  );
  try {
    const startedAt = performance.now();
    let next = 0;
    const some = async () => {
      while (next++ < jobs) await queue.add("x", { n: next }, { removeOnComplete: true });
    };
    await Promise.all([...Array.from({ length: 24 }, some), ended.promise]);
    return jobs / ((performance.now() - startedAt) / 1000);
  } finally {
    await worker.close(true);
    await queue.close();
    connection.disconnect();
  }
}
