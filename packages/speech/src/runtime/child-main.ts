import { Worker } from "node:worker_threads";
import type { FromChild, ToChild } from "./messages.ts";

/** How often the child says that it is alive; well below what its parent waits for. */
const HEARTBEAT_MS = 1000;

/**
 * The child process: this thread owns the channel to the parent and the heartbeat, and never computes. The session thread
 * does, in runs that cannot be stopped; so where the child must end, it ends all at once.
 */
function main() {
  const endNow = () => process.kill(process.pid, "SIGKILL");
  const send = (message: FromChild) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  process.on("disconnect", endNow);
  // A terminal's ^C goes to the whole group; the parent decides when this process ends.
  process.on("SIGINT", () => {});
  setInterval(() => send({ type: "heartbeat" }), HEARTBEAT_MS);

  let thread: Worker | undefined;
  process.on("message", (message: ToChild) => {
    if (message.type !== "start") {
      thread?.postMessage(message);
      return;
    }
    thread = new Worker(new URL("./session-thread.ts", import.meta.url), { workerData: message.settings });
    thread.on("message", send);
    thread.on("error", (error) => {
      process.stderr.write(`session thread: ${error.stack ?? error}\n`, endNow);
    });
    send({ type: "heartbeat" });
  });
}

main();
