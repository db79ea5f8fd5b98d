import { WorkStopped } from "./work-stopped.ts";

export interface LeaseKeeper {
  /** Aborted with a `WorkStopped` once the lease is lost, or can no longer be known to be ours. */
  readonly signal: AbortSignal;
  /** A step begins that may be silent until `deadlineMs` from now. The lease is renewed only while the last one holds. */
  announce(operation: string, deadlineMs: number): void;
  /** Ends renewing. The lease stays as it is in the database. */
  close(): void;
}

export interface LeaseKeeperOptions {
  /** One fenced renewal: false where the lease is not ours any more; throws where the database cannot be asked. */
  renew: () => Promise<boolean>;
  leaseSeconds: number;
  /** When the claim was sent, on the clock of `now`: the database's lease cannot end before that plus its length. */
  claimedAtMs: number;
  /** A clock that never jumps. */
  now?: () => number;
  onOverdue?: (operation: string) => void;
}

/** How long after a failed question to the database the next one comes, as a share of the lease. */
const RETRY_SHARE = 1 / 10;
const RENEW_SHARE = 1 / 3;

/**
 * Keeps a lease for as long as its holder shows that it lives: every third of it, and only while the announced operation
 * is within its deadline. Work that hangs so loses its lease, and another worker takes over.
 */
export function keepLease(options: LeaseKeeperOptions): LeaseKeeper {
  const { renew, leaseSeconds, now = () => performance.now(), onOverdue } = options;
  const leaseMs = leaseSeconds * 1000;
  const lost = new AbortController();
  let heldUntilMs = options.claimedAtMs + leaseMs;
  let operation = { name: "start", endsAtMs: heldUntilMs };
  let overdueTold = false;
  let closed = false;
  let nextRenewal: NodeJS.Timeout | undefined;
  let expiry: NodeJS.Timeout | undefined;

  function end(reason: "lost" | "expired" | "overdue"): void {
    if (closed) return;
    close();
    lost.abort(new WorkStopped(reason));
  }

  function close(): void {
    closed = true;
    clearTimeout(nextRenewal);
    clearTimeout(expiry);
  }

  function planExpiry(): void {
    clearTimeout(expiry);
    expiry = setTimeout(() => end(overdueTold ? "overdue" : "expired"), Math.max(0, heldUntilMs - now()));
  }

  function planRenewal(share: number): void {
    clearTimeout(nextRenewal);
    nextRenewal = setTimeout(() => void tryRenewal(), leaseMs * share);
  }

  async function tryRenewal(): Promise<void> {
    if (closed) return;
    if (now() > operation.endsAtMs) {
      if (!overdueTold) onOverdue?.(operation.name);
      overdueTold = true;
      planRenewal(RETRY_SHARE);
      return;
    }
    const askedAtMs = now();
    let answer: boolean;
    try {
      answer = await renew();
    } catch {
      // Whether the database is away for a moment or for good, the expiry tells.
      if (!closed) planRenewal(RETRY_SHARE);
      return;
    }
    if (closed) return;
    if (!answer) return end("lost");
    heldUntilMs = askedAtMs + leaseMs;
    planExpiry();
    planRenewal(RENEW_SHARE);
  }

  planExpiry();
  planRenewal(RENEW_SHARE);
  return {
    signal: lost.signal,
    announce(name, deadlineMs) {
      operation = { name, endsAtMs: now() + deadlineMs };
      overdueTold = false;
    },
    close,
  };
}
