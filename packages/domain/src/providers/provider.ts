import type { TranscriptionOptions } from "../job-options.ts";

/** Engines that send the audio to somebody else. */
export const PROVIDERS = ["openai", "assemblyai"] as const;
export type Provider = (typeof PROVIDERS)[number];

/** As people know them. */
export const PROVIDER_NAMES: Record<Provider, string> = { openai: "OpenAI", assemblyai: "AssemblyAI" };

/** Where they are, unless an operator or a tenant says otherwise. */
export const PROVIDER_ADDRESSES: Record<Provider, string> = {
  openai: "https://api.openai.com/v1",
  assemblyai: "https://api.assemblyai.com",
};

export function isProvider(name: string): name is Provider {
  return (PROVIDERS as readonly string[]).includes(name);
}

/** What a request or a tenant says of its own account with a provider. */
export interface ProviderAccount {
  apiKey: string;
  /** Absent: the operator's, or the provider's own. */
  baseUrl?: string | undefined;
}

/** With which key, and where, an attempt asks a provider. */
export interface ProviderAccess {
  apiKey: string;
  baseUrl: string;
  /** Whose the address is: one that a tenant chose is a stranger's. */
  addressBy: "operator" | "tenant";
}

const COMMON = [
  ...["language", "hotwords", "word_timestamps", "clip", "channels"],
  ...["diarize", "num_speakers", "min_speakers", "max_speakers"],
  ...["cache", "lexicon", "lexicon_version", "redact", "enhance"],
];

/** The options that each provider's engine carries out. What others carry out after the transcription is named, too. */
const CARRIED_OUT: Record<Provider, ReadonlySet<string>> = {
  openai: new Set([...COMMON, "task", "prompt", "temperature", "condition_on_previous_text", "extra_data"]),
  assemblyai: new Set(COMMON),
};

/** Names of options that would be accepted and ignored. */
export function notCarriedOut(provider: Provider, options: TranscriptionOptions): string[] {
  const known = CARRIED_OUT[provider];
  const asked = Object.entries(options).filter(([, value]) => value !== undefined);
  const names = asked.map(([name]) => name).filter((name) => !known.has(name));
  // One of theirs at a time; a list is what a fallback of our own goes through.
  if (provider === "openai" && Array.isArray(options.temperature)) names.push("temperature");
  return names;
}
