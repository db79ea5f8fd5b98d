import type { Logger } from "pino";

/**
 * SIGUSR2 turns `debug` on while the process runs, and the next one turns it off again; it holds for what begins after
 * (a job under way keeps its level). Returns what ends the listening.
 */
export function changeLevelBySignal(log: Logger): () => void {
  const configured = log.level;
  const change = () => {
    log.level = log.level === "debug" ? (configured === "debug" ? "info" : configured) : "debug";
    log[log.level === "silent" ? "fatal" : "warn"]({ level: log.level }, `the log level is ${log.level} now`);
  };
  process.on("SIGUSR2", change);
  return () => void process.off("SIGUSR2", change);
}
