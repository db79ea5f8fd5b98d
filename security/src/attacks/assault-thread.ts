import { parentPort, workerData } from "node:worker_threads";
import { ASSAULTS, type Target } from "./assaults.ts";

/** Attackers have a thread of their own: their work must not look like the server's slowness. */
const { name, target } = workerData as { name: string; target: Target };
const running = ASSAULTS.find((assault) => assault.name === name)?.begin(target);
parentPort?.once("message", () => {
  running?.stop();
  parentPort?.postMessage(running?.sent() ?? 0);
  parentPort?.close();
});
