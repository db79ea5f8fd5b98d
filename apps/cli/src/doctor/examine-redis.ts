import type { Config } from "@scribe/config";
import { askRedis } from "./ask-redis.ts";
import { type Finding, ok, warning, wordsOf, wrong } from "./finding.ts";

/** Whether Redis answers, and forgets nothing when it is full. */
export async function examineRedis({ data }: Pick<Config, "data">, ask = askRedis): Promise<Finding[]> {
  if (data.REDIS_URL === undefined) return [ok("Redis", "none: queues live in Postgres")];
  try {
    await ask(data.REDIS_URL, [["PING"]]);
  } catch (error) {
    return [wrong("Redis", wordsOf(error), 'redis-cli -u "$REDIS_URL" ping   # from this machine')];
  }
  return [ok("Redis", "answers"), await examineEviction(data.REDIS_URL, ask)];
}

async function examineEviction(url: string, ask: typeof askRedis): Promise<Finding> {
  try {
    const [info = ""] = await ask(url, [["INFO", "memory"]]);
    const policy = info.match(/maxmemory_policy:(\S+)/)?.[1] ?? "unknown";
    if (policy === "noeviction") return ok("eviction", policy);
    const mend = 'redis-cli -u "$REDIS_URL" config set maxmemory-policy noeviction   # a managed one: its parameters';
    return wrong("eviction", `${policy}: a queue may not forget`, mend);
  } catch (error) {
    const mend = 'redis-cli -u "$REDIS_URL" config get maxmemory-policy   # must be noeviction';
    return warning("eviction", wordsOf(error), mend);
  }
}
