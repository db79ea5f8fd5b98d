import { flag, list, setting, text, url, whole } from "../setting.ts";

/** Others whom audio or text may be sent to, with the operator's own keys. */
export const providerSettings = {
  LOCAL_ONLY: setting(flag, {
    fallback: "false",
    description: "Refuse every engine and request that would send audio or text to somebody else",
  }),
  OPENAI_API_KEY: setting(text, {
    secret: true,
    description: "Key for `engine: openai` of tenants without one; never sent to an address that a tenant chose",
  }),
  OPENAI_BASE_URL: setting(url("http:", "https:"), {
    description: "OpenAI-compatible address, `https://…/v1`, inside or outside; absent: OpenAI's own",
  }),
  OPENAI_MODELS: setting(list, {
    fallback: "whisper-1",
    description: "Models that may be named with OPENAI_API_KEY; the first is the default",
  }),
  ASSEMBLYAI_API_KEY: setting(text, {
    secret: true,
    description: "Key for `engine: assemblyai` of tenants without one; never sent to an address that a tenant chose",
  }),
  ASSEMBLYAI_BASE_URL: setting(url("http:", "https:"), {
    description: "For AssemblyAI's EU region and the like; absent: AssemblyAI's own",
  }),
  ASSEMBLYAI_MODELS: setting(list, {
    fallback: "universal",
    description: "Models that may be named with ASSEMBLYAI_API_KEY; the first is the default",
  }),
  PROVIDER_TIMEOUT_SECONDS: setting(whole(1, 86_400), {
    fallback: "600",
    description: "Longest wait for a provider's answer to one request",
  }),
} as const;
