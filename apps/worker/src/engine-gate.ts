/**
 * Lets jobs into the engine's process: many together, or one by itself. First come, first served, so that a job that
 * must be alone is not kept waiting by a stream of others.
 */
export interface EngineGate {
  /** Resolves with the way out. Rejects with the signal's reason where the wait is over before. */
  enter(alone: boolean, signal: AbortSignal): Promise<() => void>;
}

interface Waiting {
  alone: boolean;
  admit: () => void;
}

export function createEngineGate(): EngineGate {
  const queue: Waiting[] = [];
  let inside = 0;
  let occupiedAlone = false;

  function admitNext(): void {
    for (;;) {
      const [next] = queue;
      if (!next || occupiedAlone || (next.alone && inside > 0)) return;
      queue.shift();
      inside += 1;
      occupiedAlone = next.alone;
      next.admit();
    }
  }

  function wayOut(alone: boolean): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      inside -= 1;
      if (alone) occupiedAlone = false;
      admitNext();
    };
  }

  return {
    enter(alone, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const giveUp = () => {
          const at = queue.indexOf(waiting);
          if (at >= 0) queue.splice(at, 1);
          reject(signal.reason);
          admitNext();
        };
        const waiting: Waiting = {
          alone,
          admit: () => {
            signal.removeEventListener("abort", giveUp);
            resolve(wayOut(alone));
          },
        };
        signal.addEventListener("abort", giveUp, { once: true });
        queue.push(waiting);
        admitNext();
      });
    },
  };
}
