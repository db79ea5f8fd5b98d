import { createHash } from "node:crypto";
import { type Idempotency, IdempotencyBusy, IdempotencyRace, type JobRow, tenantJobs } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import type { Request, Response } from "express";
import type { Api } from "../api.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { sendJson } from "./send-json.ts";

const FORM = /^[\x20-\x7e]{1,255}$/;

/** The caller's Idempotency-Key, or undefined; throws where it is not one. */
export function readIdempotencyKey(request: Request): string | undefined {
  const key = request.get("idempotency-key");
  if (key === undefined || FORM.test(key)) return key;
  const message = "must be 1 to 255 printable ASCII characters";
  throw new RequestError("invalid_request", `\`Idempotency-Key\` ${message}.`, {
    errors: [{ path: "Idempotency-Key", message }],
  });
}

/** Refuses the header where a route cannot hold what it promises, rather than to ignore it. */
export function refuseIdempotencyKey(request: Request): void {
  if (readIdempotencyKey(request) === undefined) return;
  throw new RequestError("invalid_request", "`Idempotency-Key` is not available here.", {
    errors: [{ path: "Idempotency-Key", message: "is not available here" }],
  });
}

/** SHA-256 of an input, hex; the order of fields does not count. Not even a hash of a provider's key is kept. */
export function fingerprint(input: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(sortKeys(input)))
    .digest("hex");
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== "provider_key")
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sortKeys(item)]),
  );
}

interface Answer {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

export interface Creation<T> {
  route: string;
  key: string | undefined;
  respond: (row: T) => Answer;
}

/** Commits the row through `create`, or finds what an earlier equal request was answered. */
export type Commit<T = JobRow> = (
  fingerprintOf: () => string,
  create: (idempotency: Idempotency<T> | undefined) => Promise<T>,
) => Promise<Outcome<T>>;

type Outcome<T> = { created: T; answer: Answer } | { created: null; answer: Answer };

/**
 * Runs a creation under its Idempotency-Key: at most one at a time in this process, and across replicas the database
 * lets one commit. `work` reads the input and calls `commit`; what that gives is answered.
 */
export async function creating<T = JobRow>(
  api: Api,
  caller: Caller,
  { route, key, respond }: Creation<T>,
  response: Response,
  work: (commit: Commit<T>) => Promise<Outcome<T>>,
): Promise<void> {
  const jobs = tenantJobs(api.db, caller.tenantId);

  const replay = async (fingerprintNow: string): Promise<Outcome<T> | null> => {
    const kept = key === undefined ? null : await jobs.keptAnswer(route, key);
    if (!kept) return null;
    if (kept.fingerprint.trim() !== fingerprintNow) {
      throw new RequestError("idempotency_mismatch", "This Idempotency-Key was used with another input.");
    }
    return { created: null, answer: { ...kept, headers: { ...kept.headers, "Idempotency-Replayed": "true" } } };
  };

  const commit: Commit<T> = async (fingerprintOf, create) => {
    const done = (row: T): Outcome<T> => ({ created: row, answer: respond(row) });
    if (key === undefined) return done(await create(undefined));
    const now = fingerprintOf();
    const before = await replay(now);
    if (before) return before;
    try {
      return done(await create({ route, key, fingerprint: now, respond }));
    } catch (error) {
      if (error instanceof IdempotencyBusy) throw busy();
      if (!(error instanceof IdempotencyRace)) throw error;
      const other = await replay(now);
      if (!other) throw busy();
      return other;
    }
  };

  const outcome =
    key === undefined
      ? await work(commit)
      : await api.underway.run(`${caller.tenantId} ${route} ${key}`, api.waits.idempotencyMs, () => work(commit));
  if (outcome === "busy") throw busy();
  const { status, body, headers } = outcome.answer;
  sendJson(response, status, body, headers);
}

function busy(): RequestError {
  return new RequestError("conflict", "An equal request is under way.", { retryAfterSeconds: 1 });
}
