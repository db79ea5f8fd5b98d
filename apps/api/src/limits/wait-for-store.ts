/** A store that takes longer is away: the request goes on without it. */
const STORE_LIMIT_MS = 100;
const STEP_MS = 20;

/**
 * Whether `work` has not ended when the store has had its time. That passes in small steps, and what has arrived is read
 * after each: where this process was busy for a while, the time is its own, and an answer that lies here is not late.
 */
export function isLate(work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    let waitedMs = 0;
    let ended = false;
    const end = () => {
      ended = true;
      clearTimeout(timer);
      resolve(false);
    };
    const look = () => {
      if (ended) return;
      waitedMs += STEP_MS;
      if (waitedMs >= STORE_LIMIT_MS) resolve(true);
      else wait();
    };
    const wait = () => {
      timer = setTimeout(() => setImmediate(look), STEP_MS);
    };
    work.then(end, end);
    wait();
  });
}
