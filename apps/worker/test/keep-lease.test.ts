import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { keepLease, type LeaseKeeper, type LeaseKeeperOptions } from "../src/keep-lease.ts";
import type { WorkStopped } from "../src/work-stopped.ts";

const LEASE_SECONDS = 0.3;

// The clock goes by hand: on a busy machine a third of so short a lease passes in any pause.
beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());
const delay = (ms: number) => jest.advanceTimersByTimeAsync(ms);

async function keep(
  options: Partial<LeaseKeeperOptions>,
  during: (keeper: LeaseKeeper) => Promise<unknown> = () => delay(450),
) {
  const keeper = keepLease({
    renew: async () => true,
    leaseSeconds: LEASE_SECONDS,
    claimedAtMs: performance.now(),
    ...options,
  });
  try {
    await during(keeper);
    return (keeper.signal.reason as WorkStopped | undefined)?.reason ?? null;
  } finally {
    keeper.close();
  }
}

describe("a kept lease", () => {
  test("is renewed every third of it while the operation is within its deadline", async () => {
    let renewals = 0;
    const renew = async () => ++renewals > 0;
    const reason = await keep({ renew }, async (keeper) => {
      keeper.announce("decode", 10_000);
      await delay(460);
    });
    expect(reason).toBeNull();
    expect(renewals).toBeGreaterThanOrEqual(3);
    expect(renewals).toBeLessThanOrEqual(4);
  });

  test("is lost at once where a renewal is refused", async () => {
    expect(await keep({ renew: async () => false }, () => delay(130))).toBe("lost");
  });

  test("is given up when the database cannot be asked for as long as it lasts, and not before", async () => {
    const renew = () => Promise.reject(new Error("Connection terminated"));
    expect(await keep({ renew }, () => delay(200))).toBeNull();
    expect(await keep({ renew }, () => delay(330))).toBe("expired");
  });

  test("outlives a moment without a database", async () => {
    let asked = 0;
    const renew = async () => {
      if (++asked <= 2) throw new Error("Connection terminated");
      return true;
    };
    expect(
      await keep({ renew }, async (keeper) => {
        keeper.announce("decode", 10_000);
        await delay(450);
      }),
    ).toBeNull();
  });

  test("is given up when a renewal hangs", async () => {
    expect(await keep({ renew: () => new Promise(() => {}) }, () => delay(330))).toBe("expired");
  });

  test("runs out where an operation is overdue, which is told once", async () => {
    const overdue: string[] = [];
    const reason = await keep({ onOverdue: (name) => overdue.push(name) }, async (keeper) => {
      keeper.announce("hang", 50);
      await delay(450);
    });
    expect(reason).toBe("overdue");
    expect(overdue).toEqual(["hang"]);
  });

  test("goes on where the next operation is announced in time", async () => {
    const reason = await keep({}, async (keeper) => {
      keeper.announce("short", 50);
      await delay(150);
      keeper.announce("long", 10_000);
      await delay(350);
    });
    expect(reason).toBeNull();
  });

  test("counts from before the claim, so that a claim that took long has used some of it", async () => {
    expect(await keep({ claimedAtMs: performance.now() - 400 }, () => delay(30))).toBe("expired");
  });

  test("is left alone once it is closed", async () => {
    let renewals = 0;
    const renew = async () => ++renewals > 0;
    await keep({ renew }, async (keeper) => {
      keeper.close();
      await delay(400);
      expect(keeper.signal.aborted).toBe(false);
    });
    expect(renewals).toBe(0);
  });
});
