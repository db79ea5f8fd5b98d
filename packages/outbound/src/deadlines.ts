import { OutboundError, type OutboundReason } from "./outbound-error.ts";

const MESSAGES: Partial<Record<OutboundReason, string>> = {
  connect: "The server of this address did not answer in time.",
  timeout_headers: "The server accepted the request but did not answer in time.",
  timeout_idle: "The server stopped sending.",
  timeout_total: "The transfer took too long in all.",
};

/**
 * What may end a request before its time: the caller's signal, the closing of the client, and a limit. All of them abort
 * `signal`, whose reason is the error to throw; the first one counts.
 */
export class Deadlines {
  readonly #controller = new AbortController();
  readonly #callers: readonly AbortSignal[];
  readonly #total: NodeJS.Timeout;
  #phase: NodeJS.Timeout | undefined;

  constructor(totalTimeoutMs: number, callers: readonly (AbortSignal | undefined)[]) {
    this.#callers = callers.filter((signal) => signal !== undefined);
    this.#total = setTimeout(() => this.#expire("timeout_total"), totalTimeoutMs);
    for (const caller of this.#callers) {
      if (caller.aborted) this.#controller.abort(caller.reason);
      else caller.addEventListener("abort", this.#onCaller, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on this limit counts, instead of the one before. */
  begin(reason: "connect" | "timeout_headers" | "timeout_idle", timeoutMs: number): void {
    clearTimeout(this.#phase);
    this.#phase = setTimeout(() => this.#expire(reason), timeoutMs);
  }

  /** The turn is the caller's: none of ours but the total counts. */
  pause(): void {
    clearTimeout(this.#phase);
  }

  end(): void {
    clearTimeout(this.#phase);
    clearTimeout(this.#total);
    for (const caller of this.#callers) caller.removeEventListener("abort", this.#onCaller);
  }

  readonly #onCaller = (event: Event) => this.#controller.abort((event.target as AbortSignal).reason);

  #expire(reason: OutboundReason): void {
    this.#controller.abort(new OutboundError(reason, MESSAGES[reason] ?? reason));
  }
}
