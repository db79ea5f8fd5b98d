import { setting, text, url, whole } from "../setting.ts";

export const enhancementSettings = {
  ENHANCED_AI_BASE_URL: setting(url("http:", "https:"), {
    description:
      "OpenAI-compatible chat endpoint for summaries and the like, with its version, inside or outside: `http://127.0.0.1:11434/v1`",
  }),
  ENHANCED_AI_API_KEY: setting(text, { secret: true, description: "Its key, where it wants one" }),
  ENHANCED_AI_MODEL: setting(text, { description: "The model that is asked there" }),
  ENHANCED_AI_CONTEXT_TOKENS: setting(whole(512, 10_000_000), {
    fallback: "8192",
    description: "What that model reads and writes together; longer transcripts are read part by part",
  }),
  ENHANCED_AI_TIMEOUT_SECONDS: setting(whole(1, 86_400), {
    fallback: "300",
    description: "Longest wait for one of its answers",
  }),
  ENHANCED_AI_CONCURRENCY: setting(whole(1, 256), {
    fallback: "2",
    description: "Enhancements that a worker works on at once, one question of each at a time",
  }),
} as const;
