/**
 * One look for several metrics: a scrape collects each of them at the same time, and all wait for the same work. Give
 * what this returns to each of them as its `collect`.
 */
export function collectTogether(look: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => {
    running ??= look().finally(() => {
      // Those of the same scrape that come a little later have still come in time.
      setImmediate(() => {
        running = null;
      });
    });
    return running;
  };
}
