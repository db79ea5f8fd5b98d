/** Creations that have begun and not ended in this process, by tenant, route and Idempotency-Key. */
export interface Underway {
  /**
   * Runs `work` once nothing else runs under `name`. Where that is not so within `waitMs`, returns "busy" and `work`
   * has not begun.
   */
  run<T>(name: string, waitMs: number, work: () => Promise<T>): Promise<T | "busy">;
}

export function createUnderway(): Underway {
  const running = new Map<string, Promise<void>>();
  return {
    async run(name, waitMs, work) {
      const deadline = Date.now() + waitMs;
      for (let first = running.get(name); first; first = running.get(name)) {
        if (!(await endsWithin(first, deadline - Date.now()))) return "busy";
      }
      const ended = Promise.withResolvers<void>();
      running.set(name, ended.promise);
      try {
        return await work();
      } finally {
        running.delete(name);
        ended.resolve();
      }
    },
  };
}

async function endsWithin(work: Promise<void>, ms: number): Promise<boolean> {
  if (ms <= 0) return false;
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
