import { randomBytes } from "node:crypto";
import { startTestStack, type TestStack, waitFor } from "@scribe/testing";
import { type Canary, openCanary } from "./open-canary.ts";
import { type SecretWatch, watchSecrets } from "./watch-secrets.ts";

/** The one address inside that the run's configuration allows: what lies "outside", for want of an internet. */
export const ALLOWED_ADDRESS = "127.0.0.2";

const UNLIMITED = "10000000";

export interface Stage {
  short: boolean;
  seed: number;
  stack: TestStack;
  canary: Canary;
  secrets: SecretWatch;
  log(line: string): void;
  /** Calls with a key (the stack's own where absent, none where null). What is answered is searched for secrets. */
  call(path: string, init?: StageCall): Promise<StageAnswer>;
  makeKey(scopes: string[], options?: { tenantId?: string; expiresAt?: Date }): Promise<{ id: string; key: string }>;
  makeTenant(name: string): Promise<string>;
  /** Somebody who has registered, with a tenant of their own. */
  makeUser(): Promise<StageUser>;
  /** What access tokens are signed with: for tokens of other claims. */
  jwtSecret: string;
  /** Whether API and worker are the processes that they were at the start. */
  crashes(): string[];
  close(): Promise<void>;
}

export interface StageCall {
  method?: string;
  key?: string | null;
  json?: unknown;
  body?: RequestInit["body"];
  headers?: Record<string, string>;
  /** The answer exists to hand a secret over. */
  handsOver?: boolean;
}

export interface StageUser {
  email: string;
  password: string;
  accessToken: string;
  refreshToken: string;
  tenantId: string;
}

export interface StageAnswer {
  status: number;
  headers: Headers;
  text: string;
  json(): Record<string, unknown>;
}

/** The whole stack as processes of their own, with a listener inside that must stay alone. */
export async function openStage(o: { short: boolean; seed: number; log: (line: string) => void }): Promise<Stage> {
  const secrets = watchSecrets();
  const canary = await openCanary(ALLOWED_ADDRESS);
  const encryptionKey = randomBytes(32).toString("base64");
  const webhookSecret = `whsec_${randomBytes(32).toString("base64")}`;
  secrets.add("SCRIBE_ENCRYPTION_KEY", encryptionKey);
  secrets.add("WEBHOOK_SECRET", webhookSecret);
  const jwtSecret = randomBytes(32).toString("base64");
  secrets.add("JWT_SECRET", jwtSecret);
  let users = 0;
  const stack = await startTestStack({
    LOG_LEVEL: "debug",
    ALLOW_PRIVATE_NETWORKS: `${ALLOWED_ADDRESS}/32`,
    FETCH_ALLOWED_PORTS: String(canary.port),
    SCRIBE_ENCRYPTION_KEY: encryptionKey,
    WEBHOOK_SECRET: webhookSecret,
    WEBHOOK_RETRY_SCHEDULE: "1",
    RATE_LIMIT_READS: UNLIMITED,
    RATE_LIMIT_CREATES: UNLIMITED,
    RATE_LIMIT_ANONYMOUS: UNLIMITED,
    RATE_LIMIT_AUTH: UNLIMITED,
    ACCOUNTS: "on",
    JWT_SECRET: jwtSecret,
    // Nobody is there.
    ENHANCED_AI_BASE_URL: `http://${ALLOWED_ADDRESS}:9/v1`,
    ENHANCED_AI_MODEL: "none",
    MAX_OPEN_UPLOADS: "1000000",
    MAX_OPEN_ENHANCEMENTS: "1000000",
    MAX_CONNECTIONS_PER_ADDRESS: "400",
    HEADER_TIMEOUT_SECONDS: "5",
    BODY_TIMEOUT_SECONDS: "5",
    MAX_ATTEMPTS: "1",
    SWEEP_INTERVAL_SECONDS: "2",
  });
  secrets.add("the stack's key", stack.key.split("_")[2] ?? "");

  const call: Stage["call"] = async (path, { key, json, handsOver = false, headers, ...init } = {}) => {
    const shown = key === undefined ? stack.key : key;
    const response = await fetch(stack.url + path, {
      signal: AbortSignal.timeout(60_000),
      ...init,
      ...(json === undefined ? {} : { method: init.method ?? "POST", body: JSON.stringify(json) }),
      headers: {
        ...(shown === null ? {} : { authorization: `Bearer ${shown}` }),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
    });
    const text = await response.text();
    if (!handsOver) secrets.look(`${init.method ?? "GET"} ${path}`, `${[...response.headers].join("\n")}\n${text}`);
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: () => JSON.parse(text) as Record<string, unknown>,
    };
  };

  return {
    ...{ ...o, stack, canary, secrets, call, jwtSecret },
    async makeUser() {
      users += 1;
      const email = `attacker${users}@example.com`;
      const password = randomBytes(12).toString("base64url");
      secrets.add("a password", password);
      const answer = await call("/api/v1/auth/register", { key: null, json: { email, password }, handsOver: true });
      const { access_token, refresh_token, tenant } = answer.json() as {
        access_token: string;
        refresh_token: string;
        tenant: { id: string };
      };
      secrets.add("an access token's signature", access_token.split(".")[2] ?? "");
      secrets.add("a refresh token", refresh_token);
      return { email, password, accessToken: access_token, refreshToken: refresh_token, tenantId: tenant.id };
    },
    async makeKey(scopes, { tenantId, expiresAt } = {}) {
      const json = { name: "attack", scopes, ...(expiresAt && { expires_at: expiresAt.toISOString() }) };
      const answer = await (tenantId === undefined
        ? call("/api/v1/keys", { json, handsOver: true })
        : call("/api/v1/admin/api-keys", { json: { ...json, tenant_id: tenantId }, handsOver: true }));
      const { id, key } = answer.json() as { id: string; key: string };
      secrets.add("a key", key.split("_")[2] ?? "");
      return { id, key };
    },
    async makeTenant(name) {
      const answer = await call("/api/v1/admin/tenants", { json: { name } });
      return String(answer.json().id);
    },
    crashes() {
      return stack.process
        .output()
        .split("\n")
        .filter((line) => /^The \w+ ended \(|uncaught|unhandled/i.test(line));
    },
    async close() {
      await stack.stop();
      await canary.close();
    },
  };
}

/** A job at its end. */
export async function untilEnded(stage: Stage, jobId: string, timeoutMs = 120_000): Promise<JobView> {
  return await waitFor(
    async () => {
      const job = (await stage.call(`/api/v1/jobs/${jobId}`)).json() as unknown as JobView;
      return ["completed", "failed", "cancelled"].includes(job.status) ? job : null;
    },
    { timeoutMs, everyMs: 150, what: `the end of job ${jobId}` },
  );
}

export interface JobView {
  job_id: string;
  status: string;
  duration: number | null;
  error?: { code: string; message: string };
  result?: { duration: number };
}
