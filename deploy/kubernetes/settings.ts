import { CONCERNS } from "../../packages/config/src/index.ts";

/** What differs from the defaults wherever the base runs; overlays add the storage. */
const SET: Record<string, string> = {
  TRUST_PROXY: "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16",
  WORKER_CONCURRENCY: "4",
  SHUTDOWN_GRACE_SECONDS: "40",
  TARGET_WAIT_SECONDS: "300",
  LOG_FORMAT: "json",
};

/** What manifests or images set for each process, or the platform does. */
export const SET_ELSEWHERE = new Set([
  "PORT",
  "HOST",
  "WORKER_PORT",
  "METRICS_PORT",
  "SCRIBE_DATA_DIR",
  "WORKER_ROLES",
  "EXECUTION_PROVIDERS",
  "ECS_AGENT_URI",
  "CLOUDWATCH_NAMESPACE",
]);

interface Shown {
  name: string;
  description: string;
  fallback: string | undefined;
  secret: boolean;
}

function shown(): Shown[] {
  return Object.values(CONCERNS).flatMap((settings) =>
    Object.entries(settings as Record<string, Omit<Shown, "name">>).map(
      ([name, { description, fallback, secret }]) => ({
        name,
        description,
        fallback,
        secret,
      }),
    ),
  );
}

/** `base/scribe.env`: every setting that is no secret, those that keep their default commented out. */
export function settingsEnv(): string {
  const lines = shown()
    .filter(({ name, secret }) => !secret && !SET_ELSEWHERE.has(name))
    .map(({ name, description, fallback = "" }) =>
      SET[name] === undefined ? `# ${description}\n#${name}=${fallback}` : `# ${description}\n${name}=${SET[name]}`,
    );
  return `# Made by \`npm run generate\` (deploy/kubernetes/settings.ts). Overlays set more in their own files.\n${lines.join("\n")}\n`;
}

/** `secrets.example.env`: every secret there is, in the order of the two Secrets that they belong into. */
export function secretsEnv(): string {
  const secrets = shown().filter(({ secret }) => secret);
  const linesOf = (wanted: (name: string) => boolean) =>
    secrets
      .filter(({ name }) => wanted(name))
      .map(({ name, description }) => `# ${description}\n${REQUIRED.has(name) ? "" : "#"}${name}=`);
  return `${[
    "# Made by `npm run generate`. Fill in copies, and make the secrets of them (docs/deploy-*.md); empty lines count as not set.",
    "",
    "# Secret scribe-secrets, for every process.",
    ...linesOf((name) => !API_ONLY.has(name)),
    "",
    "# Secret scribe-admin, for the API alone.",
    ...linesOf((name) => API_ONLY.has(name)),
  ].join("\n")}\n`;
}

/** What no worker needs, and so does not get. */
export const API_ONLY = new Set(["SCRIBE_ADMIN_KEY", "JWT_SECRET"]);

const REQUIRED = new Set(["DATABASE_URL", "REDIS_URL", "SCRIBE_ENCRYPTION_KEY", "SCRIBE_ADMIN_KEY"]);
