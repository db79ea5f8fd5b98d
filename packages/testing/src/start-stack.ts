import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type RunningProcess, startProcess } from "./start-process.ts";

const CLI = resolve(import.meta.dirname, "../../../apps/cli/src/main.ts");
/** Embedded Postgres makes its cluster, two processes load: on a busy machine that takes its time. */
const START_LIMIT_MS = 60_000;

export interface TestStack {
  url: string;
  key: string;
  dataDir: string;
  readonly process: RunningProcess;
  /** Stops it as a person would, and removes its data. Resolves with the exit code. */
  stop(): Promise<number | null>;
  /** Stops it, and starts it again where it was, with all that it had. */
  restart(): Promise<void>;
  /** Calls the API with the stack's key; answers whatever comes. */
  call(path: string, init?: RequestInit): Promise<Response>;
}

/** Starts `scribe up` as a process of its own, on free ports and in a folder of its own. Give it a minute. */
export async function startTestStack(env: Record<string, string> = {}): Promise<TestStack> {
  const dataDir = mkdtempSync(join(tmpdir(), "scribe-system-"));
  const removeData = () => rmSync(dataDir, { recursive: true, force: true });
  const start = (changes: Record<string, string> = {}) =>
    startProcess(
      CLI,
      {
        SCRIBE_DATA_DIR: dataDir,
        PORT: "0",
        WORKER_PORT: "0",
        METRICS_PORT: "0",
        HOST: "127.0.0.1",
        ALLOW_PRIVATE_NETWORKS: "127.0.0.0/8",
        SCRIBE_ENABLE_SYNTHETIC: "true",
        // Tests ask more often than people do; those of the limits set their own.
        RATE_LIMIT_READS: "1000000",
        RATE_LIMIT_CREATES: "1000000",
        SHUTDOWN_GRACE_SECONDS: "2",
        LOG_LEVEL: "warn",
        // Tests ask nobody outside.
        SCRIBE_MODEL: "whisper-nano.en",
        HF_HUB_OFFLINE: "true",
        ...env,
        ...changes,
      },
      { args: ["up", "--json"] },
    );
  let child = start();
  try {
    const [line] = await child.waitForOutput(/\{"ready":true.*\}/, START_LIMIT_MS);
    const { url, key } = JSON.parse(line) as { url: string; key: string };
    return {
      ...{ url, key, dataDir },
      get process() {
        return child;
      },
      async restart() {
        await child.stop(20_000);
        child = start({ PORT: new URL(url).port });
        await child.waitForOutput(/\{"ready":true.*\}/, START_LIMIT_MS);
      },
      async stop() {
        const { code } = await child.stop(20_000);
        removeData();
        return code;
      },
      call: (path, init = {}) =>
        fetch(url + path, {
          signal: AbortSignal.timeout(60_000),
          ...init,
          headers: { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) },
        }),
    };
  } catch (error) {
    await child.stop();
    removeData();
    throw error;
  }
}
