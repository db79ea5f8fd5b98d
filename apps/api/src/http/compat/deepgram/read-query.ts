import { type DeepgramAsk, isUnsafeText, RequestError, type UploadFields } from "@scribe/domain";
import type { Request } from "express";
import type { Api } from "../../../api.ts";
import { foreignModel } from "../foreign-model.ts";

/** Names of its models, with their kinds behind: `nova-3`, `nova-2-meeting`, `whisper-large`, `enhanced`, `base`. */
const DEEPGRAM_MODELS = /^(nova(-\d+)?|enhanced|base|whisper|general|flux)(-[\w.-]+)?$/;

/** True already, whatever is asked: Whisper writes punctuation, numbers and paragraphs as people do. */
const ALWAYS = new Set(["punctuate", "smart_format", "version", "tier", "callback_method"]);
const FLAGS = ["diarize", "utterances", "paragraphs", "multichannel"] as const;

export interface DeepgramRequest {
  fields: UploadFields;
  ask: DeepgramAsk;
  callback: { url: string; headers: Record<string, string> } | null;
  ignored: string[];
}

/**
 * Deepgram's query as a job of ours. A key that comes again is a list.
 *
 * @throws RequestError `invalid_request`, `unknown_model`
 */
export function readDeepgramQuery(api: Api, request: Request): DeepgramRequest {
  const query = readQuery(request);
  const one = (name: string): string | undefined => query.get(name)?.at(-1);
  const flag = (name: string): boolean => readFlag(name, one(name));
  const [diarize, utterances, paragraphs, multichannel] = FLAGS.map(flag) as [boolean, boolean, boolean, boolean];
  const detect = query.get("detect_language") ?? [];
  const languages = detect.filter((value) => value !== "true" && value !== "false");
  const language = one("language");
  const hotwords = [...(query.get("keyterm") ?? []), ...(query.get("keywords") ?? []).map(withoutBoost)];
  const asked = one("model");
  const model = foreignModel(api, asked, DEEPGRAM_MODELS);
  const callback = one("callback");
  const detectLanguage = detect.includes("true") || languages.length > 0;
  return {
    fields: {
      model,
      ...(language && !detectLanguage ? readLanguage(language) : {}),
      ...(diarize ? { diarize: true } : {}),
      ...(multichannel ? { channels: "split" } : {}),
      ...(hotwords.length > 0 ? { hotwords } : {}),
      ...readExtra(query.get("extra") ?? []),
    },
    ask: { utterances, paragraphs, diarize, detectLanguage, model: asked ?? model, channels: 1 },
    callback: callback === undefined ? null : readCallback(callback),
    ignored: [...query.keys()].filter((name) => !KNOWN.has(name)),
  };
}

const KNOWN = new Set<string>([
  ...[...FLAGS, ...ALWAYS],
  ...["model", "language", "detect_language", "keywords", "keyterm", "callback", "extra"],
]);

function readQuery(request: Request): Map<string, string[]> {
  const query = new Map<string, string[]>();
  const mark = request.url.indexOf("?");
  for (const [name, value] of new URLSearchParams(mark === -1 ? "" : request.url.slice(mark + 1))) {
    if (isUnsafeText(name) || isUnsafeText(value)) throw wrong("query", "must not contain NUL");
    query.set(name, [...(query.get(name) ?? []), value]);
  }
  return query;
}

function readFlag(name: string, value: string | undefined): boolean {
  if (value === undefined || value === "false") return false;
  if (value === "true" || value === "") return true;
  throw wrong(name, "must be true or false");
}

/** `multi` hears several languages in turn; `en-US` is `en`. */
function readLanguage(language: string): UploadFields {
  return language === "multi" ? { multilingual: true } : { language: language.split("-", 1)[0]?.toLowerCase() };
}

/** `name:2.5` raises a word; only that it is likely can be said here. */
function withoutBoost(keyword: string): string {
  return keyword.replace(/:-?\d+(\.\d+)?$/, "");
}

/** `extra=name:value` comes back with the job. */
function readExtra(items: readonly string[]): UploadFields {
  if (items.length === 0) return {};
  const pairs = items.map((item) => {
    const colon = item.indexOf(":");
    return colon === -1 ? [item, ""] : [item.slice(0, colon), item.slice(colon + 1)];
  });
  return { metadata: Object.fromEntries(pairs) };
}

/** Credentials in the address become a header: an address of ours never carries them. */
function readCallback(text: string): { url: string; headers: Record<string, string> } {
  if (!URL.canParse(text)) throw wrong("callback", "must be an http or https URL");
  const url = new URL(text);
  const { username, password } = url;
  url.username = "";
  url.password = "";
  const basic = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64");
  return { url: url.href, headers: username === "" && password === "" ? {} : { authorization: `Basic ${basic}` } };
}

function decoded(credential: string): string {
  try {
    return decodeURIComponent(credential);
  } catch {
    throw wrong("callback", "has credentials that are not well-formed");
  }
}

function wrong(path: string, message: string): RequestError {
  return new RequestError("invalid_request", `\`${path}\` ${message}.`, { errors: [{ path, message }] });
}
