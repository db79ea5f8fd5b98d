import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type Attack, Broken } from "../attack.ts";
import { percentile } from "../percentile.ts";
import type { Stage } from "../stage/open-stage.ts";
import { ASSAULTS, type Target } from "./assaults.ts";

const REQUEST_EVERY_MS = 25;
const SECONDS = 15;
const SHORT_SECONDS = 2;
const FACTOR = 5;
/** Below this a slow answer is the machine's doing: the same run unattacked is measured on the same, shared cores. */
const FLOOR_MS = 25;

export const exhaustion: Attack = {
  name: "exhaustion",
  what: "slowloris, slow bodies, connection flood, header bombs, forms of many parts, long URLs",
  mustHold: "0 failures of others; p99 at most 5 times that of the same run unattacked",
  async run(stage) {
    const broken = new Broken();
    const seconds = stage.short ? SHORT_SECONDS : SECONDS;
    const { hostname: host, port } = new URL(stage.stack.url);
    const attacker = await stage.makeKey(["transcribe"]);
    const target = { host, port: Number(port), key: attacker.key, short: stage.short };
    await victims(stage, 2);
    const seen: string[] = [];
    let count = 0;
    for (const { name } of ASSAULTS) {
      // Each is compared with the moment before it: what else the machine does changes.
      const calm = await victims(stage, seconds);
      const attack = beginAttack(name, target);
      await sleep(500);
      const under = await victims(stage, seconds);
      const sent = await attack.stop();
      count += sent;
      seen.push(`${name} (${sent}) ${calm.p99.toFixed(0)} → ${under.p99.toFixed(0)} ms`);
      const failures = calm.failures + under.failures;
      if (failures > 0)
        broken.add(`${name}: ${failures} of ${calm.requests + under.requests} requests of others failed`);
      const allowed = Math.max(calm.p99 * FACTOR, FLOOR_MS);
      if (!stage.short && under.p99 > allowed) {
        broken.add(`${name}: p99 ${under.p99.toFixed(1)} ms, ${allowed.toFixed(1)} allowed`);
      }
      await sleep(500);
    }
    for (const crash of stage.crashes()) broken.add(crash);
    return { count, seen: `p99 before and under it: ${seen.join(", ")}`, broken: broken.list };
  },
};

/** A reader at a steady pace, whatever the answers take. */
async function victims(stage: Stage, seconds: number) {
  const times: number[] = [];
  let failures = 0;
  const open: Promise<void>[] = [];
  for (let at = 0; at < (seconds * 1000) / REQUEST_EVERY_MS; at++) {
    const startedAt = performance.now();
    open.push(
      stage.call("/api/v1/models").then(
        ({ status }) => {
          times.push(performance.now() - startedAt);
          if (status !== 200) failures += 1;
        },
        () => {
          failures += 1;
        },
      ),
    );
    await sleep(REQUEST_EVERY_MS);
  }
  await Promise.all(open);
  return { p99: percentile(times, 0.99), failures, requests: open.length };
}

function beginAttack(name: string, target: Target) {
  const thread = new Worker(new URL("./assault-thread.ts", import.meta.url), { workerData: { name, target } });
  return {
    async stop(): Promise<number> {
      thread.postMessage("stop");
      const [sent] = (await once(thread, "message")) as [number];
      await thread.terminate();
      return sent;
    },
  };
}
