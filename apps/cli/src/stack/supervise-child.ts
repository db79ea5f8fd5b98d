import type { ChildProcess } from "node:child_process";
import { killGroup, spawnTethered } from "./spawn-tethered.ts";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** A child that lived this long was well: the next restart is quick again. */
const STEADY_MS = 60_000;

export interface ChildOptions {
  name: string;
  entry: string;
  env: NodeJS.ProcessEnv;
  /** File descriptor for what it writes. */
  output: number;
  log: (line: string) => void;
  firstDelayMs?: number;
}

export interface SupervisedChild {
  readonly name: string;
  /** Rejects where the child ends before `keepAlive` was called. Never resolves. */
  readonly failedToStart: Promise<never>;
  /** From now on a child that ends is started again, after 0.5 s, 1 s, 2 s … 30 s. */
  keepAlive(): void;
  /** SIGTERM, and after `graceMs` SIGKILL to it and its children. Resolves when it is gone. */
  stop(graceMs: number): Promise<void>;
  /** SIGKILL, at once. */
  kill(): void;
}

/** Runs one part of the stack and watches over it. */
export function superviseChild(options: ChildOptions): SupervisedChild {
  const { name, log, firstDelayMs = FIRST_DELAY_MS } = options;
  const started = Promise.withResolvers<never>();
  started.promise.catch(() => {});
  let stage: "starting" | "up" | "stopping" = "starting";
  let delayMs = firstDelayMs;
  let restart: NodeJS.Timeout | undefined;
  let child: ChildProcess = launch();
  let gone = ended(child);

  function launch(): ChildProcess {
    const startedAt = Date.now();
    const launched = spawnTethered(options.entry, options.env, options.output);
    void ended(launched).then((how) => {
      // What the child started itself must not stay behind without it.
      killGroup(launched);
      if (stage === "stopping") return;
      if (stage === "starting") return started.reject(new Error(`The ${name} ended while it started (${how}).`));
      if (Date.now() - startedAt > STEADY_MS) delayMs = firstDelayMs;
      log(`The ${name} ended (${how}); starting it again in ${delayMs / 1000} s.`);
      restart = setTimeout(() => {
        child = launch();
        gone = ended(child);
      }, delayMs);
      delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS);
    });
    return launched;
  }

  return {
    name,
    failedToStart: started.promise,
    keepAlive() {
      if (stage === "starting") stage = "up";
    },
    async stop(graceMs) {
      stage = "stopping";
      clearTimeout(restart);
      if (hasEnded(child)) return;
      child.kill("SIGTERM");
      const tooLong = setTimeout(() => {
        log(`The ${name} did not end within ${graceMs / 1000} s and is killed.`);
        killGroup(child);
      }, graceMs);
      await gone;
      clearTimeout(tooLong);
    },
    kill() {
      stage = "stopping";
      clearTimeout(restart);
      killGroup(child);
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

/** Resolves with how it ended, in words. */
function ended(child: ChildProcess): Promise<string> {
  return new Promise((done) => {
    child.once("error", (error) => done(error.message));
    child.once("exit", (code, signal) => done(signal ?? `exit code ${code}`));
  });
}
