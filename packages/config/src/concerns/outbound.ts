import { list, oneOf, setting, text, whole } from "../setting.ts";

export const outboundSettings = {
  ALLOW_PRIVATE_NETWORKS: setting(list, {
    fallback: "",
    description: "Networks (CIDR) inside that URLs may reach, on any port but our own",
  }),
  FETCH_ALLOWED_PORTS: setting(list, { fallback: "", description: "Ports that URLs may name besides 80 and 443" }),
  FETCH_TIMEOUT_SECONDS: setting(whole(1, 86_400), { fallback: "300", description: "Longest fetch of an audio URL" }),
  WEBHOOK_CONCURRENCY: setting(whole(1, 1000), {
    fallback: "32",
    description: "Deliveries that a worker has under way at once",
  }),
  WEBHOOK_SECRET: setting(text, { secret: true, description: "Signing secret of the default tenant, `whsec_…`" }),
  WEBHOOK_FORMAT: setting(oneOf(["standard", "legacy"]), {
    fallback: "standard",
    description: "How webhooks look for keys that do not say; `legacy`: as those of the FastAPI service",
  }),
  IVRIT_WEBHOOK_SECRET: setting(text, {
    secret: true,
    description: "Signs the default tenant's webhooks of the `legacy` form, as older receivers know it",
  }),
  VERCEL_BYPASS_HOSTS: setting(list, {
    fallback: "",
    description: "Hosts whose deliveries carry VERCEL_AUTOMATION_BYPASS_SECRET (over https only)",
  }),
  VERCEL_AUTOMATION_BYPASS_SECRET: setting(text, {
    secret: true,
    description: "Opens Vercel's deployment protection for deliveries to VERCEL_BYPASS_HOSTS",
  }),
  WEBHOOK_RETRY_SCHEDULE: setting(list, {
    fallback: "5,300,1800,7200,18000,36000,50400,72000,86400",
    description: "Seconds before each further try of a delivery",
  }),
} as const;
