import { isIP } from "node:net";
import { z } from "zod";
import { flag, list, port, setting, text, url, whole } from "../setting.ts";

/** `true` would believe anybody, and with it every limit by address would be the caller's to choose. */
const trustProxy = z
  .string()
  .regex(
    /^(false|[1-9]\d?|[0-9a-f.:]+(\/\d{1,3})?( *, *[0-9a-f.:]+(\/\d{1,3})?)*)$/i,
    "must be false, a number of hops, or addresses in CIDR form",
  )
  .refine((value) => !/[.:]/.test(value) || value.split(",").every(isNetwork), "names what is no address");

function isNetwork(text: string): boolean {
  const [address = "", bits] = text.trim().split("/");
  const family = isIP(address);
  return family !== 0 && (bits === undefined || Number(bits) <= (family === 4 ? 32 : 128));
}

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
  TRUST_PROXY: setting(trustProxy, {
    fallback: "false",
    description: "Whose X-Forwarded-For is believed: false, a number of hops, or addresses in CIDR form",
  }),
  CORS_ORIGINS: setting(list, { fallback: "", description: "Origins that browsers may call from" }),
  MAX_UPLOAD_BYTES: setting(whole(1, 2 ** 50), {
    fallback: "2147483648",
    description: "Largest upload or fetched file",
  }),
  MAX_STREAMS_PER_KEY: setting(whole(1, 100_000), {
    fallback: "100",
    description: "Event streams of one key that one replica keeps open",
  }),
  SCRIBE_ENABLE_SYNTHETIC: setting(flag, {
    fallback: "false",
    description: "Allow `engine: synthetic` for rehearsals",
  }),
} as const;
