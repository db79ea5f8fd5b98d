import type { Hit, KeyRow } from "@scribe/database";
import { parseKey, RequestError } from "@scribe/domain";
import type { Request, RequestHandler, Response } from "express";
import { ipKeyGenerator, rateLimit } from "express-rate-limit";
import type { Api } from "../../api.ts";
import { WINDOW_SECONDS } from "../../limits/hit-counter.ts";
import { createKeyLookup, shownKey } from "../../limits/look-up-key.ts";
import { looksLikeToken, lookUpSession, unauthorized } from "../../limits/look-up-session.ts";
import { anonymousCaller } from "../compat/anonymous-caller.ts";
import { type Caller, callerInSession, callerWithKey, refusalOf } from "./authenticate.ts";

type Budget = "reads" | "creates" | "anonymous";

/** What the rate limit found out about a request, for `authenticate`. */
export interface Identity {
  /** Whoever showed what opens something now, or null. */
  caller: Caller | null;
  /** The caller's key; null for a user. */
  key: KeyRow | null;
  /** Where there is no caller: why. */
  refusal: RequestError | null;
}

interface Counted extends Identity {
  bucket: string;
  limit: number;
}

/** Probes are never refused. */
const EXEMPT = new Set(["/health", "/ready"]);
const STORE_RETRY_SECONDS = 1;

/**
 * Counts every request: by key or user where a valid one is shown, reads and creations apart, else by address. Where the store
 * of counts is away, known keys pass and everybody else is told to come again.
 */
export function limitRequests(api: Api): RequestHandler {
  const { db, config, hits, metrics, accounts } = api;
  const lookUp = createKeyLookup(db, hits);
  const perBudget = new Map((["reads", "creates", "anonymous"] as const).map((budget) => [budget, limiter(budget)]));

  async function identify(request: Request, budget: Budget): Promise<Identity & { hit: Hit | null }> {
    const shown = shownKey(request);
    if (accounts !== null && shown !== null && looksLikeToken(shown)) {
      const session = await lookUpSession({ db, access: accounts.access }, shown, request.get("x-tenant-id"));
      if (session instanceof RequestError) return refuse(session);
      const caller = callerInSession(api, session);
      const hit = await hits.count(`${budget}:${caller.publicId}`).catch(() => null);
      return { caller, key: null, refusal: null, hit };
    }
    const anonymous = shown === null ? await anonymousCaller(api, request) : null;
    if (anonymous !== null) {
      const hit = await hits.count(`${budget}:${anonymous.publicId}`).catch(() => null);
      return { caller: anonymous, key: null, refusal: null, hit };
    }
    const parsed = shown === null ? null : parseKey(shown);
    if (parsed === null) {
      return refuse(unauthorized("A key is needed: `Authorization: Bearer <key>` or `X-API-Key: <key>`."));
    }
    const found = await lookUp(parsed, budget);
    if (found === null) return refuse(unauthorized("This key is not valid."));
    const refusal = refusalOf(found.key);
    if (refusal !== null) return refuse(unauthorized(refusal));
    return { caller: callerWithKey(api, found.key), refusal: null, ...found };
  }

  function refuse(refusal: RequestError) {
    return { caller: null, key: null, refusal, hit: null };
  }

  /** Hits that the look-up has counted, until the limiter asks for them: of one bucket, one is as good as another. */
  const counted = new Map<string, Hit[]>();

  function limiter(budget: Budget): RequestHandler {
    return rateLimit({
      windowMs: WINDOW_SECONDS * 1000,
      identifier: budget,
      standardHeaders: "draft-8",
      legacyHeaders: false,
      keyGenerator: (_request, response) => countedOf(response as Response).bucket,
      limit: (_request, response) => countedOf(response as Response).limit,
      passOnStoreError: budget !== "anonymous",
      handler: (_request, response, next) => next(tooMany(response as Response)),
      store: {
        async increment(bucket) {
          const hit = take(counted, bucket) ?? (budget === "anonymous" ? await countAddress(bucket) : null);
          if (hit === null) throw new Error("The store of counts is away");
          return { totalHits: hit.hits, resetTime: hit.endsAt };
        },
        decrement() {},
        resetKey() {},
      },
      // What it checks for is decided here: the store is shared, and whose X-Forwarded-For counts is configured.
      validate: false,
      logger: { warn() {}, error() {} },
    });
  }

  async function countAddress(bucket: string): Promise<Hit> {
    try {
      return await hits.count(bucket);
    } catch (cause) {
      metrics.uncountedRequests.inc({ caller: "anonymous" });
      throw new RequestError("service_unavailable", "Requests without a key cannot be served just now.", {
        retryAfterSeconds: STORE_RETRY_SECONDS,
        cause,
      });
    }
  }

  return async (request, response, next) => {
    if (EXEMPT.has(request.path)) return next();
    const budget = budgetOf(request);
    const { hit, ...identity } = await identify(request, budget);
    if (identity.caller === null) {
      const bucket = `anonymous:${ipKeyGenerator(request.ip ?? "")}`;
      keep(response, { ...identity, bucket, limit: config.limits.RATE_LIMIT_ANONYMOUS });
      return perBudget.get("anonymous")?.(request, response, next);
    }
    const bucket = `${budget}:${identity.caller.publicId}`;
    const { readsPerMinute, createsPerMinute } = identity.caller.limits;
    keep(response, { ...identity, bucket, limit: budget === "reads" ? readsPerMinute : createsPerMinute });
    if (hit === null) metrics.uncountedRequests.inc({ caller: "key" });
    else give(counted, bucket, hit);
    perBudget.get(budget)?.(request, response, next);
  };
}

/** What changes something is a creation; to stop a job is not, for it must be possible whenever one can be made. */
function budgetOf({ method, path }: Request): "reads" | "creates" {
  if (method !== "POST" && method !== "PUT" && method !== "PATCH") return "reads";
  return method === "POST" && /\/cancel\/?$/.test(path) ? "reads" : "creates";
}

function tooMany(response: Response): RequestError {
  const { limit, caller } = countedOf(response);
  const whose = caller === null ? "this address" : caller.user === null ? "this key" : "this user";
  return new RequestError("rate_limited", `The limit of ${whose} is ${limit} a minute; wait a little.`);
}

function keep(response: Response, counted: Counted): void {
  response.locals.identity = counted;
}

function countedOf(response: Response): Counted {
  return response.locals.identity as Counted;
}

function give(counted: Map<string, Hit[]>, bucket: string, hit: Hit): void {
  const before = counted.get(bucket);
  if (before) before.push(hit);
  else counted.set(bucket, [hit]);
}

function take(counted: Map<string, Hit[]>, bucket: string): Hit | undefined {
  const waiting = counted.get(bucket);
  const hit = waiting?.shift();
  if (waiting?.length === 0) counted.delete(bucket);
  return hit;
}
