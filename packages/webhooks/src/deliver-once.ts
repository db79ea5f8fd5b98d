import type { Readable } from "node:stream";
import { type OutboundClient, OutboundError } from "@scribe/outbound";
import { foreignHeaders } from "./foreign-headers.ts";
import { signDelivery } from "./sign-delivery.ts";

/** All of one try: name, connection, answer. */
export const DELIVERY_TIMEOUT_MS = 15_000;

const MAX_ANSWER_BYTES = 64 * 1024;
const EXCERPT_BYTES = 1024;

/** A second limit above the client's own: whatever that waits for, a slot is given back. */
const GRACE_MS = 2000;

export interface OutgoingDelivery {
  /** The `webhook-id`: the same over all tries. */
  id: string;
  url: string;
  /** The exact text that is signed and sent. */
  body: string;
  /** Newest first; more than one while they are being rotated. */
  secrets: readonly string[];
  /** Of the caller's choice; what is ours to say is left out. */
  headers?: Readonly<Record<string, string>>;
}

export interface DeliveryResult {
  /** Null where there was no answer. */
  status: number | null;
  durationMs: number;
  error?: string;
  /** The answer's first KiB; never one from a private address. */
  responseExcerpt?: string;
  retryAfterSeconds?: number;
}

export interface DeliveryDependencies {
  client: OutboundClient;
  signal: AbortSignal;
  nowMs?: () => number;
  timeoutMs?: number;
  /** Further headers for an address; see `vercelBypass`. */
  headersFor?: (url: string) => Record<string, string>;
}

/**
 * Sends a delivery once: signed, redirects refused, 15 s in all. What goes wrong is part of the result; it throws
 * nothing but what a wrong secret or id means.
 */
export async function deliverOnce(delivery: OutgoingDelivery, deps: DeliveryDependencies): Promise<DeliveryResult> {
  const { client, nowMs = Date.now, timeoutMs = DELIVERY_TIMEOUT_MS } = deps;
  const { id, body, secrets, url, headers = {} } = delivery;
  const startedAt = performance.now();
  const took = () => Math.round(performance.now() - startedAt);
  const signed = signDelivery({ id, timestamp: Math.floor(nowMs() / 1000), body }, secrets);
  const late = AbortSignal.timeout(timeoutMs + GRACE_MS);
  try {
    const response = await client.fetchStream(url, {
      method: "POST",
      headers: {
        ...{ "content-type": "application/json", accept: "*/*" },
        ...{ ...foreignHeaders(headers), ...deps.headersFor?.(url), ...signed },
      },
      body,
      redirect: "refuse",
      signal: AbortSignal.any([deps.signal, late]),
      // Counted below: a longer answer is cut, and is no failure.
      limits: { totalTimeoutMs: timeoutMs, headersTimeoutMs: timeoutMs, idleTimeoutMs: timeoutMs },
    });
    const answer = await readAnswer(response.body);
    const retryAfterSeconds = readRetryAfter(response.headers["retry-after"], nowMs());
    return {
      status: response.status,
      durationMs: took(),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      ...(response.remoteIsPrivate || answer === "" ? {} : { responseExcerpt: answer }),
      ...(isSuccess(response.status) ? {} : { error: explainStatus(response.status) }),
    };
  } catch (error) {
    return { status: null, durationMs: took(), error: explain(error) };
  }
}

export function isSuccess(status: number | null): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** Reads at most 64 KiB, so that the receiver may finish its sentence; keeps the first KiB. */
async function readAnswer(body: Readable): Promise<string> {
  const kept: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (bytes < EXCERPT_BYTES) kept.push(chunk.subarray(0, EXCERPT_BYTES - bytes));
      bytes += chunk.length;
      if (bytes >= MAX_ANSWER_BYTES) break;
    }
  } catch {
    // The status has been given; an answer that breaks off takes nothing back.
  } finally {
    body.destroy();
  }
  // Postgres stores no NUL; a character cut in half becomes U+FFFD.
  return Buffer.concat(kept).toString("utf8").replaceAll("\0", "\u{fffd}");
}

/** RFC 9110, section 10.2.3: seconds or an HTTP date. */
function readRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - nowMs) / 1000));
}

function explainStatus(status: number): string {
  if (status >= 300 && status < 400) return `The receiver answered ${status}; redirects are not followed.`;
  return `The receiver answered ${status}.`;
}

function explain(error: unknown): string {
  if (error instanceof OutboundError) return error.message;
  if (error instanceof Error && error.name === "TimeoutError") return "The receiver did not answer in time.";
  return "The delivery could not be sent.";
}
