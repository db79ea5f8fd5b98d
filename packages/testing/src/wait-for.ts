import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks `condition` until it answers something truthy, and returns that. Fails after `timeoutMs`, naming `what` was waited
 * for and the last error of the condition, if it threw.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, everyMs = 25, what = "the condition" } = {},
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() >= deadline) {
      const because = lastError instanceof Error ? ` (${lastError.message})` : "";
      throw new Error(`Waited ${timeoutMs} ms for ${what}${because}`, { cause: lastError });
    }
    await sleep(everyMs);
  }
}
