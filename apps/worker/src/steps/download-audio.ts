import { JobError } from "@scribe/domain";
import { OutboundError, type OutboundResponse } from "@scribe/outbound";
import type { WorkerParts } from "../attempt.ts";
import { type ReceivedFile, receiveFile } from "./receive-file.ts";

/**
 * Fetches a caller's URL into a file, through the guarded client and its limits.
 *
 * @throws JobError `url_not_allowed`, `audio_too_large`, `audio_fetch_failed` (final where the server's answer will not change)
 */
export async function downloadAudio(
  url: string,
  path: string,
  { outbound, settings }: Pick<WorkerParts, "outbound" | "settings">,
  signal: AbortSignal,
  onBytes?: (bytes: number) => void,
): Promise<ReceivedFile> {
  try {
    const response = await outbound.fetchStream(url, {
      redirect: "follow",
      signal,
      headers: { accept: "audio/*, video/*, application/octet-stream;q=0.9, */*;q=0.5" },
      limits: {
        maxBytes: settings.maxAudioBytes,
        totalTimeoutMs: settings.fetchTimeoutMs,
        idleTimeoutMs: settings.idleTimeoutMs,
        headersTimeoutMs: Math.min(settings.idleTimeoutMs, settings.fetchTimeoutMs),
        maxRedirects: 5,
      },
    });
    refuseBadStatus(response);
    // The client guards the wait for a byte; twice as long here only keeps a hanging client from holding the slot.
    return await receiveFile(response.body, path, {
      signal,
      idleMs: 2 * settings.idleTimeoutMs,
      ...(onBytes && { onBytes }),
    });
  } catch (error) {
    throw signal.aborted ? signal.reason : explain(error, settings.maxAudioBytes);
  }
}

/** Answers that the same request may get differently later. */
const WORTH_A_RETRY = new Set([408, 421, 425, 429]);

function refuseBadStatus(response: OutboundResponse): void {
  const { status } = response;
  if (status >= 200 && status < 300) return;
  response.body.destroy();
  const hint =
    status === 404 || status === 410
      ? "there is nothing at this address"
      : status === 401 || status === 403
        ? "it wants other credentials; a signed address may have expired"
        : status === 429
          ? "too many requests"
          : status >= 500
            ? "the server has a problem"
            : "it gives no audio";
  throw new JobError("audio_fetch_failed", `The server of the audio answered ${status}: ${hint}.`, {
    retryable: status >= 500 || WORTH_A_RETRY.has(status),
  });
}

/** What the client's errors mean for the job. Its messages are written for whoever gave the address. */
function explain(error: unknown, maxBytes: number): unknown {
  if (!(error instanceof OutboundError)) return error;
  const { reason, message, retryable } = error;
  if (reason === "address") return new JobError("url_not_allowed", message, { cause: error });
  if (reason === "too_large") {
    return new JobError("audio_too_large", `The audio is larger than ${maxBytes} bytes, the limit here.`, {
      cause: error,
    });
  }
  return new JobError("audio_fetch_failed", `The audio could not be fetched: ${message}`, { retryable, cause: error });
}
