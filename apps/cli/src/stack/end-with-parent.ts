// Loaded into the API and the worker before their own code. The channel to the process that started them closes when
// that one ends, however it ends: then they stop as on SIGTERM, and after a grace they and their children are killed.
import { isMainThread } from "node:worker_threads";
import { TETHER } from "./spawn-tethered.ts";

const GRACE_MS = 10_000;

// Grandchildren and threads inherit the environment and Node's options; only the direct child is tethered.
if (isMainThread && process.channel && process.env[TETHER] === String(process.ppid)) {
  process.channel.unref();
  process.once("disconnect", () => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => process.kill(-process.pid, "SIGKILL"), GRACE_MS).unref();
  });
}
