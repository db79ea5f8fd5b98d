import { openCollector } from "@scribe/telemetry";

/** A sweep takes some 60 ms, a thousandth of this. */
const EVERY_MS = 60_000;

/**
 * Collects garbage now and then, for as long as the process lives. V8 lets it lie while the machine has room: on one with
 * 24 GiB a worker's memory grew by a megabyte a minute for hours, and whoever shares the machine pays for it.
 *
 * @returns ends it
 */
export function sweepMemory(everyMs = EVERY_MS): () => void {
  const collect = openCollector();
  const timer = setInterval(() => collect({ type: "major" }), everyMs).unref();
  return () => clearInterval(timer);
}
