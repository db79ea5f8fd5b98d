import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, startProcess } from "@scribe/testing";
import type { BenchOptions } from "./main.ts";
import { openBenchDatabase } from "./open-bench-database.ts";
import { median, printTable } from "./print-table.ts";

const APPS = resolve(import.meta.dirname, "../../apps");
const LIMIT_MS = 60_000;

/** From the start of the process to the first 200 of `/ready`, each part alone, its database up and migrated. */
export async function coldStart({ rounds }: BenchOptions): Promise<void> {
  const database = await openBenchDatabase();
  try {
    const parts = [
      { name: "API", entry: join(APPS, "api/src/main.ts"), port: "PORT" },
      { name: "worker (model loaded at its first job)", entry: join(APPS, "worker/src/main.ts"), port: "WORKER_PORT" },
      { name: "bare Express + pg", entry: join(import.meta.dirname, "http/bare-server.ts"), port: "PORT" },
    ];
    const times = new Map<string, number[]>(parts.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const { name, entry, port } of parts) times.get(name)!.push(await startOnce(entry, port, database.env));
    }
    printTable(
      ["process", "median ms", "fastest ms", "slowest ms"],
      [...times].map(([name, list]) => [
        name,
        ...[median(list), Math.min(...list), Math.max(...list)].map((ms) => ms.toFixed(0)),
      ]),
    );
    console.log(
      `\n${rounds} starts each, in turn; TypeScript is run as it is, files in the page cache after the first.`,
    );
    console.log("Compared with a server of one file with the same Express and pg.");
  } finally {
    await database.stop();
  }
}

async function startOnce(entry: string, portName: string, env: Record<string, string>): Promise<number> {
  const ports = { PORT: await freePort(), WORKER_PORT: await freePort() };
  const startedAt = performance.now();
  const child = startProcess(entry, {
    ...env,
    HOST: "127.0.0.1",
    PORT: String(ports.PORT),
    WORKER_PORT: String(ports.WORKER_PORT),
    METRICS_PORT: "0",
    LOG_LEVEL: "warn",
    SHUTDOWN_GRACE_SECONDS: "0",
  });
  const url = `http://127.0.0.1:${ports[portName as keyof typeof ports]}/ready`;
  try {
    for (;;) {
      const ready = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
        (response) => response.ok,
        () => false,
      );
      if (ready) return performance.now() - startedAt;
      if (performance.now() - startedAt > LIMIT_MS)
        throw new Error(`${entry} did not become ready:\n${child.output()}`);
      await sleep(5);
    }
  } finally {
    await child.stop();
  }
}
