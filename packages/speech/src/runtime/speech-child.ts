import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { sessionEnvironment, YOUNG_MEMORY } from "../sessions/session-environment.ts";
import type { FromChild, ThreadSettings, ToChild } from "./messages.ts";

export type SpeechChildEvents = {
  message: (message: FromChild) => void;
  /** A line on the child's standard error: native libraries write there. */
  errorLine: (line: string) => void;
  exit: (exit: { code: number | null; signal: string | null; reason: string; overdueKey?: string }) => void;
};

/** A child that says nothing for this long, while it has something to do, is taken for dead. */
const SILENCE_MS = 30_000;
const GRACE_MS = 50;
/** glibc gives threads heaps of their own, up to eight a core, and what one frees is not another's: memory creeps up. */
const FEWER_HEAPS = { MALLOC_ARENA_MAX: "2" };

/** One child process: its channel, its deadlines, and its end. */
export class SpeechChild {
  readonly #child: ChildProcess;
  readonly #events: SpeechChildEvents;
  #reason = "";
  #overdueKey: string | undefined;
  #deadline: NodeJS.Timeout | undefined;
  readonly #silence: NodeJS.Timeout;
  #exited = false;
  lastMessageAt = performance.now();
  operation: string | undefined;
  readonly exited: Promise<void>;

  constructor(settings: ThreadSettings, busy: () => boolean, events: SpeechChildEvents) {
    this.#events = events;
    this.#child = fork(fileURLToPath(new URL("./child-main.ts", import.meta.url)), [], {
      // The parent's own flags (debugger, test runner) are not the child's.
      execArgv: [YOUNG_MEMORY],
      env: { ...FEWER_HEAPS, ...sessionEnvironment() },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#silence = setInterval(() => {
      if (busy() && performance.now() - this.lastMessageAt > SILENCE_MS) this.kill("it fell silent");
    }, SILENCE_MS / 6);
    this.exited = new Promise((resolve) => {
      const exit = (code: number | null, signal: string | null) => {
        if (this.#exited) return;
        this.#exited = true;
        clearTimeout(this.#deadline);
        clearInterval(this.#silence);
        events.exit({
          code,
          signal,
          reason: this.#reason || "it died",
          ...(this.#overdueKey === undefined ? {} : { overdueKey: this.#overdueKey }),
        });
        resolve();
      };
      this.#child.once("exit", exit);
      // A process that could not be started has no exit event.
      this.#child.on("error", (error) => {
        if (this.#child.pid !== undefined) return;
        this.#reason = `it could not be started: ${error.message}`;
        exit(null, null);
      });
    });
    if (this.#child.stderr) createInterface({ input: this.#child.stderr }).on("line", events.errorLine);
    this.#child.on("message", (message: FromChild) => this.#receive(message));
    this.send({ type: "start", settings });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(message: ToChild) {
    // What cannot be sent goes to a child that is dying; its exit tells.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  /** Ends the child at once: it holds nothing that is not elsewhere too. */
  kill(reason: string) {
    this.#reason ||= reason;
    this.#child.kill("SIGKILL");
  }

  #receive(message: FromChild) {
    this.lastMessageAt = performance.now();
    if (message.type === "operation") {
      this.operation = message.operation;
      this.#expectBy(message.key, message.operation, message.deadlineMs);
    } else if (message.type === "resting") {
      this.operation = undefined;
      clearTimeout(this.#deadline);
    }
    this.#events.message(message);
  }

  #expectBy(key: string, operation: string, deadlineMs: number) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      // Where this process itself was held up, the child's news wait behind this timer: a moment to read them.
      this.#deadline = setTimeout(() => {
        this.#overdueKey = key;
        this.kill(`${operation} passed its deadline of ${deadlineMs} ms`);
      }, GRACE_MS);
    }, deadlineMs);
  }
}
