import { oneOf, setting } from "../setting.ts";

export const loggingSettings = {
  LOG_LEVEL: setting(oneOf(["trace", "debug", "info", "warn", "error", "fatal", "silent"]), {
    fallback: "info",
    description: "Least level that is logged",
  }),
  LOG_FORMAT: setting(oneOf(["json", "pretty"]), {
    fallback: "json",
    description: "One JSON object a line, or for people",
  }),
} as const;
