import { flag, list, port, setting, text, url, whole } from "../setting.ts";

export const httpSettings = {
  PORT: setting(port, { fallback: "8080", description: "Port of the API" }),
  HOST: setting(text, {
    fallback: "0.0.0.0",
    description: "Address that the API listens on (127.0.0.1 when embedded)",
  }),
  WORKER_PORT: setting(port, { fallback: "8081", description: "Port of a worker's /health, /ready and /metrics" }),
  METRICS_PORT: setting(port, {
    fallback: "9090",
    description: "Port of the API's /metrics without a key; 0 turns it off",
  }),
  PUBLIC_URL: setting(url("http:", "https:"), { description: "How clients reach the API; links are made with it" }),
  TRUST_PROXY: setting(text, {
    fallback: "false",
    description: "Whose X-Forwarded-For is believed: false, a number of hops, or addresses in CIDR form",
  }),
  CORS_ORIGINS: setting(list, { fallback: "", description: "Origins that browsers may call from" }),
  MAX_UPLOAD_BYTES: setting(whole(1, 2 ** 50), {
    fallback: "2147483648",
    description: "Largest upload or fetched file",
  }),
  MAX_STREAMS_PER_KEY: setting(whole(1, 100_000), { fallback: "100", description: "Open event streams of one key" }),
  RATE_LIMIT_READS: setting(whole(1, 10_000_000), { fallback: "1200", description: "Reads a minute and key" }),
  RATE_LIMIT_CREATES: setting(whole(1, 10_000_000), { fallback: "60", description: "Creations a minute and key" }),
  SCRIBE_ENABLE_SYNTHETIC: setting(flag, {
    fallback: "false",
    description: "Allow `engine: synthetic` for rehearsals",
  }),
} as const;
