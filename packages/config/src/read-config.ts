import { readFileSync } from "node:fs";
import { accountSettings } from "./concerns/accounts.ts";
import { compatSettings } from "./concerns/compat.ts";
import { dataSettings } from "./concerns/data.ts";
import { enhancementSettings } from "./concerns/enhancement.ts";
import { httpSettings } from "./concerns/http.ts";
import { jobSettings } from "./concerns/jobs.ts";
import { limitSettings } from "./concerns/limits.ts";
import { loggingSettings } from "./concerns/logging.ts";
import { outboundSettings } from "./concerns/outbound.ts";
import { providerSettings } from "./concerns/providers.ts";
import { speechSettings } from "./concerns/speech.ts";
import { tracingSettings } from "./concerns/tracing.ts";
import { inTodaysNames } from "./old-names.ts";
import type { Setting, Settings, Values } from "./setting.ts";

/** Every setting there is, by concern, in the order in which the documentation shows them. */
export const CONCERNS = {
  http: httpSettings,
  limits: limitSettings,
  data: dataSettings,
  accounts: accountSettings,
  jobs: jobSettings,
  outbound: outboundSettings,
  speech: speechSettings,
  enhancement: enhancementSettings,
  providers: providerSettings,
  compat: compatSettings,
  logging: loggingSettings,
  tracing: tracingSettings,
} as const;

export type Config = { readonly [C in keyof typeof CONCERNS]: Values<(typeof CONCERNS)[C]> };

/** Names that something else reads: the tests' folders, and the setup's own. */
const KNOWN_ELSEWHERE = new Set(["SCRIBE_TEST_AUDIO", "SCRIBE_TEST_MODELS", "SCRIBE_TEST_BUCKET", "SCRIBE_FAILPOINTS"]);

/** One line a wrong variable, without its value where that is a secret. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is wrong:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/**
 * Reads the environment once. All that is wrong is told in one error; unknown `SCRIBE_*` names and older names of
 * settings come back as warnings.
 * Secrets are also read from the file that `NAME_FILE` names (a trailing newline is dropped).
 *
 * @throws ConfigError
 */
export function readConfig(given: NodeJS.ProcessEnv): { config: Config; warnings: string[] } {
  const { env, warnings } = inTodaysNames(given);
  const problems: string[] = [];
  const config = Object.fromEntries(
    Object.entries(CONCERNS).map(([concern, settings]) => [concern, readConcern(settings, env, problems)]),
  ) as unknown as Config;
  if (config.data.DATABASE_URL !== undefined && config.data.SCRIBE_ENCRYPTION_KEY === undefined) {
    problems.push("SCRIBE_ENCRYPTION_KEY is required with DATABASE_URL (`openssl rand -base64 32` makes one)");
  }
  const bucket = ({ local: undefined, s3: "S3_BUCKET", gcs: "GCS_BUCKET" } as const)[config.data.STORAGE_BACKEND];
  if (bucket !== undefined && config.data[bucket] === undefined) {
    problems.push(`${bucket} is required with STORAGE_BACKEND=${config.data.STORAGE_BACKEND}`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, warnings: [...warnings, ...unknownNames(env)] };
}

function readConcern(settings: Settings, env: NodeJS.ProcessEnv, problems: string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const text = readText(name, setting, env, problems) ?? setting.fallback;
    if (text === undefined) {
      values[name] = undefined;
      continue;
    }
    const parsed = setting.schema.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(`${name} ${parsed.error.issues[0]?.message ?? "is wrong"}`);
  }
  return values;
}

function readText(name: string, setting: Setting<unknown>, env: NodeJS.ProcessEnv, problems: string[]) {
  // An empty variable is what compose files and manifests make of "not set".
  const direct = env[name] === "" ? undefined : env[name];
  const path = setting.secret ? env[`${name}_FILE`] : undefined;
  if (path === undefined || path === "") return direct;
  if (direct !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set; one is enough`);
    return undefined;
  }
  try {
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch {
    problems.push(`${name}_FILE names a file that cannot be read`);
    return undefined;
  }
}

function unknownNames(env: NodeJS.ProcessEnv): string[] {
  const known = new Set(KNOWN_ELSEWHERE);
  for (const settings of Object.values(CONCERNS)) {
    for (const [name, { secret }] of Object.entries(settings as Settings)) {
      known.add(name);
      if (secret) known.add(`${name}_FILE`);
    }
  }
  return Object.keys(env)
    .filter((name) => name.startsWith("SCRIBE_") && !known.has(name))
    .map((name) => `${name} is not a setting that is known here`);
}
