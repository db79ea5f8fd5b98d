import { JobError } from "../errors.ts";

/** How a provider refused, failed, or went silent. */
export interface ProviderFailure {
  /** As people know it: "OpenAI". */
  provider: string;
  /** Of its answer; null where there was none, or half of one. */
  status: number | null;
  /** Its own words. */
  message?: string | undefined;
  retryAfter?: string | null | undefined;
  /** What must not be seen in the message, whatever the provider repeats. */
  secrets: readonly string[];
  cause?: unknown;
}

const LONGEST_WAIT_SECONDS = 3600;
const LONGEST_MESSAGE = 300;

/** What a provider's failure means for the job: whose fault it is, and whether another attempt may end differently. */
export function providerFailure(failure: ProviderFailure): JobError {
  const { provider, status, cause } = failure;
  const wait = readRetryAfter(failure.retryAfter);
  if (status === 401 || status === 403) {
    return new JobError("provider_unauthorized", `${provider} refused the key (${status}).`, { cause });
  }
  if (status === null) {
    const message = `${provider} gave no whole answer; the network or the provider failed.`;
    return new JobError("provider_error", message, { retryable: true, cause });
  }
  if (status === 408 || status === 409 || status === 429 || status >= 500) {
    const message = status === 429 ? `${provider} limits the rate (429).` : `${provider} failed (${status}).`;
    return new JobError("provider_error", message, { retryable: true, retryAfterSeconds: wait, cause });
  }
  const words = sanitizeProviderMessage(failure.message ?? "", failure.secrets);
  const message = `${provider} refused the request (${status})${words === "" ? "." : `: ${words}`}`;
  return new JobError("provider_error", message, { retryable: false, cause });
}

/** A stranger's words as one line of bounded length, without keys, or what looks like one. */
export function sanitizeProviderMessage(message: string, secrets: readonly string[]): string {
  let text = message;
  for (const secret of secrets) if (secret.length > 0) text = text.replaceAll(secret, "[key]");
  return (
    text
      .replace(/\b(sk|pk|key)-[\w*-]{4,}/gi, "[key]")
      .replace(/\bBearer\s+\S+/gi, "Bearer [key]")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
      .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]+/g, " ")
      .replace(/\s+/g, " ")
      .trim()
      .toWellFormed()
      .slice(0, LONGEST_MESSAGE)
      .toWellFormed()
  );
}

/** What a provider says was said: without what no database keeps. */
export function cleanTranscript(text: string): string {
  return text.replaceAll("\u0000", "").toWellFormed();
}

/** Seconds, or a date; bounded, so that no provider parks a job for days. */
function readRetryAfter(header: string | null | undefined): number | undefined {
  if (header === null || header === undefined) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, LONGEST_WAIT_SECONDS) : undefined;
}
