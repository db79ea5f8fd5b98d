import { createHash } from "node:crypto";
import { HasherBusy } from "@scribe/accounts";
import { audit, countAttempt, type LockOut } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import type { Request } from "express";
import { ipKeyGenerator } from "express-rate-limit";
import type { Api } from "../api.ts";

/** Five tries that fail lock an account for half a minute, then for twice as long each, a quarter of an hour at most. */
const ACCOUNT_LOCK: LockOut = { after: 5, firstSeconds: 30, mostSeconds: 900 };
/** Behind one address there may be an office. */
const ADDRESS_LOCK: LockOut = { after: 20, firstSeconds: 30, mostSeconds: 900 };
const BUSY_RETRY_SECONDS = 1;

/** Refuses an address that asks more than the operator allows of what strangers may ask: 429, or 503 uncounted. */
export async function limitAuth({ hits, config, metrics }: Api, request: Request): Promise<void> {
  const limit = config.accounts.RATE_LIMIT_AUTH;
  const hit = await hits.count(`auth:${addressOf(request)}`).catch((cause: unknown) => {
    metrics.uncountedRequests.inc({ caller: "anonymous" });
    throw new RequestError("service_unavailable", "Nobody can log in just now.", {
      ...{ retryAfterSeconds: BUSY_RETRY_SECONDS, cause },
    });
  });
  if (hit.hits <= limit) return;
  throw new RequestError("rate_limited", `The limit of this address is ${limit} a minute here; wait a little.`, {
    retryAfterSeconds: Math.max(1, Math.ceil((hit.endsAt.getTime() - Date.now()) / 1000)),
  });
}

/** Where tries to log in are counted: by account, whether there is one or not, and by address. */
export function attemptBuckets(request: Request, email: string): { account: string; address: string } {
  const digest = createHash("sha256").update(email).digest("hex");
  return { account: `account:${digest}`, address: `address:${addressOf(request)}` };
}

/**
 * Counts a try before its password is looked at. The answer to one too many is the same whether there is such an account.
 *
 * @throws RequestError 429
 */
export async function countTry(api: Api, request: Request, email: string): Promise<void> {
  const { account, address } = attemptBuckets(request, email);
  for (const [bucket, lock, what] of [
    [address, ADDRESS_LOCK, "address"],
    [account, ACCOUNT_LOCK, "account"],
  ] as const) {
    const attempt = await countAttempt(api.db, bucket, lock);
    if (!attempt.admitted) {
      api.metrics.logins.inc({ outcome: "locked" });
      throw new RequestError("rate_limited", "Too many tries to log in have failed; wait a little.", {
        retryAfterSeconds: attempt.retryAfterSeconds,
      });
    }
    if (attempt.locks) {
      await audit(api.db, { actor: "anonymous", action: "login.locked", address: request.ip, detail: { what } });
    }
  }
}

/** What hashes passwords has a line before it, and an end of that line. */
export async function whenFree<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof HasherBusy)) throw error;
    throw new RequestError("service_unavailable", "Too many log in just now.", {
      ...{ retryAfterSeconds: BUSY_RETRY_SECONDS, cause: error },
    });
  }
}

/** An IPv6 address by its /56: one caller has as many of them as it likes. */
function addressOf(request: Request): string {
  return ipKeyGenerator(request.ip ?? "");
}
