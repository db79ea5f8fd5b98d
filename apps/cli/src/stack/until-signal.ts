export interface UntilSignal {
  signal: AbortSignal;
  /** Resolves when a signal came. */
  came: Promise<void>;
  /** Gives the signals back to the process. */
  dispose(): void;
}

/**
 * Aborts on the first SIGINT, SIGTERM or SIGHUP, whose name is then in `reason`; `onSecond` is called for each further
 * one.
 */
export function untilSignal(onSecond: () => void = () => {}): UntilSignal {
  const controller = new AbortController();
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const handle = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) onSecond();
    else controller.abort(new Interrupted(name));
  };
  for (const name of names) process.on(name, handle);
  return {
    signal: controller.signal,
    came: new Promise<void>((done) => controller.signal.addEventListener("abort", () => done(), { once: true })),
    dispose() {
      for (const name of names) process.off(name, handle);
    },
  };
}

/** Somebody asked us to stop. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitCode: number;

  constructor(name: NodeJS.Signals) {
    super(`Stopped by ${name}.`);
    this.exitCode = 128 + ({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as Record<string, number>)[name]!;
  }
}
