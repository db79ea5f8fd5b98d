import {
  isJobErrorCode,
  JobError,
  type ProviderAccess,
  providerFailure,
  type TranscriptionOptions,
} from "@scribe/domain";
import OpenAI from "openai";
import { type Answer, answerSchema, formOf } from "./answer.ts";

export interface AskOptions {
  access: ProviderAccess;
  fetch: typeof fetch;
  timeoutMs: number;
  maxRetries: number;
}

export interface Question {
  model: string;
  flac: Buffer;
  options: TranscriptionOptions;
  /** What was said before, for names and style. */
  prompt: string | undefined;
}

/** Asks for one part of a recording; errors are the job's, and without the key. */
export function openaiAsker({ access, fetch, timeoutMs, maxRetries }: AskOptions) {
  const client = new OpenAI({
    apiKey: access.apiKey,
    baseURL: access.baseUrl,
    fetch,
    timeout: timeoutMs,
    maxRetries,
    // Nothing of the operator's environment goes to an address that somebody else may have chosen.
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    logLevel: "off",
  });

  return async (question: Question, signal: AbortSignal): Promise<Answer> => {
    let given: unknown;
    try {
      given = await ask(client, question, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw explain(error, access);
    }
    const answer = answerSchema.safeParse(given);
    if (answer.success) return answer.data;
    throw providerFailure({ provider: "OpenAI", status: null, secrets: [], cause: answer.error });
  };
}

async function ask(client: OpenAI, { model, flac, options, prompt }: Question, signal: AbortSignal): Promise<unknown> {
  const { temperature, language } = options;
  const common = {
    model,
    file: new File([new Uint8Array(flac)], "audio.flac", { type: "audio/flac" }),
    ...(typeof temperature === "number" ? { temperature } : {}),
    ...(prompt === undefined ? {} : { prompt }),
  };
  if (options.task === "translate") {
    return await client.audio.translations.create({ ...common, response_format: "verbose_json" }, { signal });
  }
  const spoken = language === undefined || language === "auto" ? {} : { language };
  switch (formOf(model)) {
    case "json":
      return await client.audio.transcriptions.create(
        { ...common, ...spoken, response_format: "json", include: ["logprobs"] },
        { signal },
      );
    case "diarized_json": {
      // It takes no prompt.
      const { prompt: _, ...rest } = common;
      return await client.audio.transcriptions.create(
        { ...rest, ...spoken, response_format: "diarized_json", chunking_strategy: "auto" },
        { signal },
      );
    }
    default:
      return await client.audio.transcriptions.create(
        {
          ...common,
          ...spoken,
          response_format: "verbose_json",
          timestamp_granularities: (options.word_timestamps ?? true) ? ["segment", "word"] : ["segment"],
        },
        { signal },
      );
  }
}

function explain(error: unknown, { apiKey }: ProviderAccess): JobError {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as Error & { code?: unknown };
    // The transport's word on an address that may not be reached.
    if (code === "url_not_allowed" && isJobErrorCode(code)) return new JobError(code, at.message, { cause: error });
  }
  const failure = { provider: "OpenAI", secrets: [apiKey], cause: withoutRequest(error) };
  if (!(error instanceof OpenAI.APIError) || typeof error.status !== "number") {
    return providerFailure({ ...failure, status: null });
  }
  const { message } = (error.error ?? {}) as { message?: unknown };
  return providerFailure({
    ...failure,
    status: error.status,
    message: typeof message === "string" ? message : "",
    retryAfter: error.headers?.get("retry-after"),
  });
}

/** What is logged of it: a client's error may carry headers and bodies. */
function withoutRequest(error: unknown): Error {
  const { name, cause } = error instanceof Error ? error : new Error(String(error));
  const status = error instanceof OpenAI.APIError ? ` ${error.status ?? "no answer"}` : "";
  const reason = cause instanceof Error ? `: ${cause.name}` : "";
  return new Error(`${name}${status}${reason}`);
}
