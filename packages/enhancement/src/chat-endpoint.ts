import { EnhancementError } from "@scribe/domain";
import { type OutboundClient, OutboundError, type OutboundResponse } from "@scribe/outbound";
import { z } from "zod";

export interface ChatRequest {
  system: string;
  /** One after the other, of the role `user`. */
  user: readonly string[];
  schema: { name: string; json: Record<string, unknown> };
  maxOutputTokens: number;
  signal: AbortSignal;
}

export interface ChatAnswer {
  text: string;
  /** The model had more to say than it was allowed to. */
  cutOff: boolean;
  promptTokens: number;
  completionTokens: number;
}

export interface ChatEndpoint {
  readonly model: string;
  /** @throws EnhancementError `provider_error`, `provider_unauthorized`, `url_not_allowed`; the signal's reason */
  complete(request: ChatRequest): Promise<ChatAnswer>;
}

export interface ChatEndpointOptions {
  client: OutboundClient;
  /** With the version: `http://127.0.0.1:11434/v1`. */
  baseUrl: string;
  apiKey?: string | undefined;
  model: string;
  /** Of one request, to its last byte. */
  timeoutMs: number;
}

/** An answer is a few thousand tokens; more is no answer. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** Longest wait that an endpoint may ask for. */
const MAX_RETRY_AFTER_SECONDS = 3600;

/**
 * What is asked for beside the messages, from the most exact to what every endpoint knows. One that refuses the first is
 * asked for the next, and from then on only for what it took.
 */
const FORMS = ["json_schema", "json_object", "plain", "bare"] as const;
type Form = (typeof FORMS)[number];

const answerSchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish() }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: z.number().nullish(), completion_tokens: z.number().nullish() }).nullish(),
});

/** A chat endpoint as OpenAI defines it, and as Ollama, vLLM and others speak it. */
export function createChatEndpoint(options: ChatEndpointOptions): ChatEndpoint {
  const { client, model, timeoutMs, apiKey } = options;
  const url = `${options.baseUrl.replace(/\/+$/, "")}/chat/completions`;
  let known = 0;

  async function post(
    request: ChatRequest,
    form: Form,
  ): Promise<{ status: number; retryAfter?: string; text: string }> {
    const response = await client.fetchStream(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify(toBody(model, request, form)),
      signal: request.signal,
      limits: {
        headersTimeoutMs: timeoutMs,
        idleTimeoutMs: timeoutMs,
        totalTimeoutMs: timeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
      },
    });
    const retryAfter = response.headers["retry-after"];
    return {
      status: response.status,
      text: await readAll(response),
      ...(retryAfter === undefined ? {} : { retryAfter }),
    };
  }

  return {
    model,
    async complete(request) {
      for (let at = known; ; at++) {
        const answer = await post(request, FORMS[at] as Form).catch((error: unknown) => {
          request.signal.throwIfAborted();
          throw explain(error);
        });
        const refused = answer.status === 400 || answer.status === 422 || answer.status === 501;
        if (refused && at + 1 < FORMS.length) continue;
        if (answer.status !== 200) throw fromStatus(answer.status, answer.retryAfter);
        known = at;
        return readAnswer(answer.text);
      }
    },
  };
}

function toBody(model: string, { system, user, schema, maxOutputTokens }: ChatRequest, form: Form) {
  const messages = [{ role: "system", content: system }, ...user.map((content) => ({ role: "user", content }))];
  const asked = { model, messages, stream: false };
  if (form === "bare") return asked;
  const limited = { ...asked, temperature: 0, max_tokens: maxOutputTokens };
  if (form === "plain") return limited;
  if (form === "json_object") return { ...limited, response_format: { type: "json_object" } };
  return {
    ...limited,
    response_format: { type: "json_schema", json_schema: { name: schema.name, schema: schema.json } },
  };
}

async function readAll({ body }: OutboundResponse): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function readAnswer(text: string): ChatAnswer {
  const parsed = answerSchema.safeParse(parseJson(text));
  const choice = parsed.data?.choices[0];
  if (choice === undefined) {
    throw new EnhancementError("provider_error", "The chat endpoint gave no answer that can be understood.");
  }
  const { usage } = parsed.data ?? {};
  return {
    text: choice.message.content ?? "",
    cutOff: choice.finish_reason === "length",
    promptTokens: countOf(usage?.prompt_tokens),
    completionTokens: countOf(usage?.completion_tokens),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What an endpoint says it used; a number that is none counts nothing. */
function countOf(value: number | null | undefined): number {
  return value && value > 0 && value < 1e8 ? Math.round(value) : 0;
}

function fromStatus(status: number, retryAfter: string | undefined): EnhancementError {
  if (status === 401 || status === 403) {
    return new EnhancementError("provider_unauthorized", "The chat endpoint refused the key of this installation.");
  }
  const mayPass = status === 408 || status === 409 || status === 425 || status === 429 || status >= 500;
  const redirected = status >= 300 && status < 400 ? "; redirects are not followed" : "";
  return new EnhancementError("provider_error", `The chat endpoint answered ${status}${redirected}.`, {
    retryable: mayPass,
    retryAfterSeconds: readRetryAfter(retryAfter),
  });
}

/** RFC 9110, section 10.2.3: seconds or an HTTP date. */
function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(0, seconds));
}

function explain(error: unknown): unknown {
  if (!(error instanceof OutboundError)) return error;
  if (error.reason === "address") {
    const message = "The chat endpoint's address is not one that may be reached from here.";
    return new EnhancementError("url_not_allowed", message, { cause: error });
  }
  const { retryable, message } = error;
  return new EnhancementError("provider_error", `The chat endpoint failed: ${message}`, { retryable, cause: error });
}
