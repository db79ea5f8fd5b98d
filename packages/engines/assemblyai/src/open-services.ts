import type { Readable } from "node:stream";
import { isJobErrorCode, JobError, type ProviderAccess, providerFailure } from "@scribe/domain";
import { FileService, TranscriptService } from "assemblyai";

export interface Services {
  /** Streams a file of known size; gives its address at AssemblyAI. */
  upload(file: Readable, bytes: number): Promise<string>;
  transcripts: TranscriptService;
}

export interface ServiceOptions {
  access: ProviderAccess;
  fetch: typeof fetch;
  timeoutMs: number;
  signal: AbortSignal;
}

/** Of a line that is slow, but not dead. */
const UPLOAD_BYTES_PER_MS = 128;

/** What sending a file may take, beyond the wait for its answer. */
export function uploadMs(bytes: number): number {
  return Math.ceil(bytes / UPLOAD_BYTES_PER_MS);
}

/**
 * The client's services over our transport. All that they send goes through `fetchResponse`, which asks the global fetch
 * and knows no other; here it asks ours, under the signal, and what is refused keeps its status.
 */
export function openServices({ access, fetch, timeoutMs, signal }: ServiceOptions): Services {
  const baseUrl = access.baseUrl.replace(/\/+$/, "");
  const params = { apiKey: access.apiKey, baseUrl, userAgent: false as const };

  async function ask(path: string, init: RequestInit = {}, bytes?: number): Promise<Response> {
    const limit = AbortSignal.timeout(timeoutMs + uploadMs(bytes ?? 0));
    try {
      const response = await fetch(path.startsWith("http") ? path : baseUrl + path, {
        ...init,
        headers: {
          authorization: access.apiKey,
          "content-type": "application/json",
          ...(init.headers as Record<string, string>),
          ...(bytes === undefined ? {} : { "content-length": String(bytes) }),
        },
        signal: AbortSignal.any([signal, limit]),
      });
      // Read here, under the limit, so that half an answer is known for what it is.
      const text = await response.text();
      if (response.status >= 400) throw refused(response, text, access);
      JSON.parse(text);
      return new Response(text, { status: response.status, headers: { "content-type": "application/json" } });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw explain(error, access);
    }
  }

  class Files extends FileService {
    readonly #bytes: number;

    constructor(bytes: number) {
      super(params);
      this.#bytes = bytes;
    }

    protected override fetchResponse(path: string, init?: RequestInit): Promise<Response> {
      return ask(path, init, this.#bytes);
    }
  }

  class Transcripts extends TranscriptService {
    protected override fetchResponse(path: string, init?: RequestInit): Promise<Response> {
      return ask(path, init);
    }
  }

  return {
    upload: (file, bytes) => new Files(bytes).upload(file as never),
    transcripts: new Transcripts(params, new Files(0)),
  };
}

function refused({ status, headers }: Response, text: string, { apiKey }: ProviderAccess): JobError {
  let message = "";
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === "string") message = error;
  } catch {
    // Not JSON: a proxy's page, which says nothing to a caller.
  }
  const retryAfter = headers.get("retry-after");
  return providerFailure({ provider: "AssemblyAI", status, message, retryAfter, secrets: [apiKey] });
}

function explain(error: unknown, { apiKey }: ProviderAccess): JobError {
  if (error instanceof JobError) return error;
  if (error instanceof Error) {
    const { code } = error as Error & { code?: unknown };
    if (code === "url_not_allowed" && isJobErrorCode(code)) {
      return new JobError(code, error.message, { cause: error });
    }
  }
  return providerFailure({ provider: "AssemblyAI", status: null, secrets: [apiKey], cause: error });
}
