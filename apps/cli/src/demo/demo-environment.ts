import { join } from "node:path";
import { CONCERNS } from "@scribe/config";

/** A stack of its own, whatever the environment says of another one; only the choice of model and provider is kept. */
export function demoEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const settings = Object.entries(CONCERNS)
    .filter(([concern]) => concern !== "speech")
    .flatMap(([, names]) => Object.keys(names))
    .flatMap((name) => [name, `${name}_FILE`]);
  const rest = Object.fromEntries(Object.entries(env).filter(([name]) => !settings.includes(name)));
  return {
    ...rest,
    SCRIBE_DATA_DIR: join(env.SCRIBE_DATA_DIR || ".scribe", "demo"),
    PORT: "0",
    WORKER_PORT: "0",
    METRICS_PORT: "0",
    // The recording and the webhook receiver are on this machine.
    ALLOW_PRIVATE_NETWORKS: "127.0.0.0/8",
    SHUTDOWN_GRACE_SECONDS: "5",
  };
}
