import { join, resolve } from "node:path";
import { CONCERNS, readConfig } from "@scribe/config";
import { chooseStartModel } from "../models/choose-start-model.ts";
import { openLog } from "../stack/open-log.ts";
import { runningStack } from "../stack/running-stack.ts";
import { startStack } from "../stack/start-stack.ts";
import { findService, type ServiceOptions } from "./find-service.ts";

export interface PrivateOptions extends ServiceOptions {
  /** A stack of one's own, whatever else runs. */
  private?: boolean;
}

/**
 * Runs `work` with a service: the one that the options name, the one that runs on this machine, or else a private one
 * (embedded, on free ports) that ends with it.
 */
export async function withService<T>(
  options: PrivateOptions,
  signal: AbortSignal,
  say: (line: string) => void,
  work: (service: { url: string; key: string }) => Promise<T>,
): Promise<T> {
  const dataDir = resolve(readConfig(process.env).config.data.SCRIBE_DATA_DIR);
  const isPrivate = options.private === true || (options.url === undefined && runningStack(dataDir) === null);
  if (!isPrivate) return await work(findService(options));
  const folder = join(dataDir, "private");
  say(`${options.private ? "A" : "No service runs here: a"} private one is started (log: ${join(folder, "log")}).`);
  const log = openLog(folder);
  try {
    const env = privateEnvironment(process.env, dataDir, folder);
    const stack = await startStack({ env, output: log.fd, log: log.write, signal, chosen: chooseStartModel(env, say) });
    try {
      return await work({ url: stack.url, key: stack.key?.key ?? "" });
    } finally {
      await stack.stop();
    }
  } finally {
    log.close();
  }
}

/** Data of its own and free ports; all else as it is set. Models are fetched once for all. */
function privateEnvironment(env: NodeJS.ProcessEnv, dataDir: string, folder: string): NodeJS.ProcessEnv {
  const own = new Set(["HOST", ...Object.keys(CONCERNS.data)].flatMap((name) => [name, `${name}_FILE`]));
  return {
    SCRIBE_MODEL_DIR: join(dataDir, "models"),
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !own.has(name))),
    ...{ SCRIBE_DATA_DIR: folder, PORT: "0", WORKER_PORT: "0", METRICS_PORT: "0", SHUTDOWN_GRACE_SECONDS: "1" },
  };
}
