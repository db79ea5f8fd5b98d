import { mapGcsError } from "./map-gcs-error.ts";

/** With the client's own retries. */
const ANSWER_LIMIT_MS = 120_000;

/** Waits for the client, which knows no signals: until it answers, the time is over, or the signal says so. */
export async function askGcs<T>(
  signal: AbortSignal | undefined,
  answer: Promise<T>,
  limitMs = ANSWER_LIMIT_MS,
): Promise<T> {
  const end = new AbortController();
  const given = [AbortSignal.timeout(limitMs), ...(signal ? [signal] : [])];
  const ended = new Promise<never>((_, reject) => {
    const any = AbortSignal.any(given);
    any.addEventListener("abort", () => reject(any.reason), { signal: end.signal });
    if (any.aborted) reject(any.reason);
  });
  try {
    return await Promise.race([answer, ended]);
  } catch (error) {
    answer.catch(() => {});
    throw signal?.aborted ? signal.reason : mapGcsError(error);
  } finally {
    end.abort();
    ended.catch(() => {});
  }
}
