import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { CONCERNS, type Config, ConfigError, configTable, envExample, readConfig } from "../src/index.ts";

const KEY = randomBytes(32).toString("base64");

const configOf = (env: Record<string, string>): Config => readConfig(env).config;

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
}

const all = Object.values(CONCERNS).flatMap((settings) => Object.entries(settings));
const secretNames = all.filter(([, { secret }]) => secret).map(([name]) => name);

test("an empty environment is a whole configuration", () => {
  const { config, warnings } = readConfig({});
  expect(warnings).toEqual([]);
  expect(config.http).toMatchObject({
    PORT: 8080,
    METRICS_PORT: 9090,
    CORS_ORIGINS: [],
    SCRIBE_ENABLE_SYNTHETIC: false,
  });
  expect(config.data).toMatchObject({ STORAGE_BACKEND: "local", DATABASE_URL: undefined, REDIS_URL: undefined });
  expect(config.jobs).toMatchObject({ LEASE_SECONDS: 30, MAX_ATTEMPTS: 3, DISPATCH_WINDOW: undefined });
  expect(config.jobs.WORKER_ROLES).toEqual(["transcription", "webhooks", "maintenance", "enhancement"]);
  expect(config.speech).toMatchObject({ EXECUTION_PROVIDERS: ["auto"], SCRIBE_MODELS: [] });
});

test.each([
  ["true", false],
  ["yes", false],
  ["10.0.0.0/33", false],
  ["10.0.0", false],
  ["proxy.example", false],
  ["false", true],
  ["2", true],
  ["10.0.0.0/8, 2001:db8::/32", true],
  ["127.0.0.1", true],
])("TRUST_PROXY=%s names proxies, or is refused", (text, right) => {
  expect(problemsOf({ TRUST_PROXY: text })).toHaveLength(right ? 0 : 1);
});

describe("older names of settings", () => {
  test.each([
    [{ LOCAL_STORAGE_DIR: "/a", TEMP_AUDIO_DIR: "/b" }, "data", "AUDIO_STORAGE_PATH", "/a", 2],
    [{ TEMP_AUDIO_DIR: "/b" }, "data", "AUDIO_STORAGE_PATH", "/b", 1],
    [{ TEMP_AUDIO_DIR: "/b", AUDIO_STORAGE_PATH: "/c" }, "data", "AUDIO_STORAGE_PATH", "/c", 1],
    [{ OPENAI_MODEL: "gpt-4o-transcribe" }, "providers", "OPENAI_MODELS", ["gpt-4o-transcribe"], 1],
    [{ LOG_FORMAT: "text" }, "logging", "LOG_FORMAT", "pretty", 1],
    [{ TRANSCRIPTION_BACKEND: "stub" }, "compat", "SCRIBE_ENABLE_STUB", true, 1],
    [{ TRANSCRIPTION_BACKEND: "openai" }, "compat", "SCRIBE_ENABLE_STUB", false, 1],
    [{ TRANSCRIPTION_BACKEND: "" }, "compat", "SCRIBE_ENABLE_STUB", false, 0],
  ] as const)("%j works", (env, concern, name, value, warned) => {
    const { config, warnings } = readConfig({ ...env });
    expect((config[concern] as Record<string, unknown>)[name]).toEqual(value);
    expect(warnings).toHaveLength(warned);
  });

  test("are warned of with today's", () => {
    expect(readConfig({ TRANSCRIPTION_BACKEND: "stub", LOCAL_STORAGE_DIR: "/a" }).warnings).toEqual([
      "LOCAL_STORAGE_DIR is an older name; today it is AUDIO_STORAGE_PATH",
      "TRANSCRIPTION_BACKEND is an older name; today it is SCRIBE_ENABLE_STUB=true",
    ]);
  });
});

test("every default holds to its own setting's form", () => {
  for (const [name, { fallback, schema }] of all) {
    if (fallback !== undefined) expect([name, schema.safeParse(fallback).success]).toEqual([name, true]);
  }
});

describe("the forms of settings", () => {
  test.each([
    ["PORT", "0", 0],
    ["PORT", "65535", 65_535],
    ["MAX_UPLOAD_BYTES", "1125899906842624", 2 ** 50],
    ["HOST", "::1", "::1"],
    ["PUBLIC_URL", "https://scribe.example/base", "https://scribe.example/base"],
    ["CORS_ORIGINS", " https://a.example, ,https://b.example,", ["https://a.example", "https://b.example"]],
    ["SCRIBE_ENABLE_SYNTHETIC", "ON", true],
    ["SCRIBE_ENABLE_SYNTHETIC", "1", true],
    ["SCRIBE_ENABLE_SYNTHETIC", "false", false],
    ["SCRIBE_ENABLE_SYNTHETIC", "off", false],
  ] as const)("%s=%s", (name, text, value) => {
    expect(configOf({ [name]: text }).http[name]).toEqual(value);
  });

  test.each([
    ["PORT", "65536", "must be at most 65535"],
    ["PORT", "-1", "must be at least 0"],
    ["PORT", "80.5", "must be a whole number"],
    ["PORT", "0x50", "must be a whole number"],
    ["PORT", " 80", "must be a whole number"],
    ["DATABASE_POOL_SIZE", "1", "must be at least 2"],
    ["DATABASE_POOL_SIZE", "99999999999999999999999", "must be at most 1000"],
    ["PUBLIC_URL", "scribe.example", "must be a URL that begins with http:// or https://"],
    ["PUBLIC_URL", "ftp://scribe.example", "must be a URL that begins with http:// or https://"],
    ["REDIS_URL", "http://redis", "must be a URL that begins with redis:// or rediss://"],
    ["SCRIBE_ENABLE_SYNTHETIC", "yes", "must be true or false"],
    ["STORAGE_BACKEND", "ftp", '"local"'],
    ["LOG_LEVEL", "loud", '"info"'],
    ["WORKER_ROLES", "transcription,cooking", '"maintenance"'],
    ["EXECUTION_PROVIDERS", "cuda,abacus", '"webgpu"'],
    ["SCRIBE_ENCRYPTION_KEY", "short", "must be 32 bytes"],
  ])("%s=%s is wrong, and the error says what it should be", (name, text, message) => {
    const problems = problemsOf({ [name]: text });
    expect(problems).toEqual([expect.stringContaining(message)]);
    expect(problems[0]!.startsWith(`${name} `)).toBe(true);
  });

  test("lists of names keep their order", () => {
    expect(configOf({ EXECUTION_PROVIDERS: "cpu, cuda" }).speech.EXECUTION_PROVIDERS).toEqual(["cpu", "cuda"]);
  });

  test("an encryption key is 32 bytes, as base64 or hex", () => {
    const bytes = Buffer.from(KEY, "base64");
    expect(configOf({ SCRIBE_ENCRYPTION_KEY: KEY }).data.SCRIBE_ENCRYPTION_KEY).toEqual(bytes);
    expect(configOf({ SCRIBE_ENCRYPTION_KEY: bytes.toString("hex") }).data.SCRIBE_ENCRYPTION_KEY).toEqual(bytes);
  });

  test("an empty variable counts as absent", () => {
    expect(configOf({ PORT: "", REDIS_URL: "", REDIS_URL_FILE: "" })).toEqual(configOf({}));
  });

  test("all that is wrong is told at once, a line each", () => {
    const env = { PORT: "x", LOG_LEVEL: "y", LEASE_SECONDS: "0" };
    expect(problemsOf(env).map((problem) => problem.split(" ")[0])).toEqual(["PORT", "LEASE_SECONDS", "LOG_LEVEL"]);
    expect(() => readConfig(env)).toThrow(/wrong:\n {2}PORT .*\n {2}LEASE_SECONDS .*\n {2}LOG_LEVEL /);
  });
});

describe("secrets", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "scribe-config-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function file(text: string): string {
    const path = join(folder, randomBytes(4).toString("hex"));
    writeFileSync(path, text);
    return path;
  }

  test.each(["\n", "\r\n", ""])("are read from a file, without a last line break of %j", (ending) => {
    const path = file(`whsec_fromAFile${ending}`);
    expect(configOf({ WEBHOOK_SECRET_FILE: path }).outbound.WEBHOOK_SECRET).toBe("whsec_fromAFile");
  });

  test("keep what else is in the file", () => {
    expect(configOf({ WEBHOOK_SECRET_FILE: file(" a\n\n") }).outbound.WEBHOOK_SECRET).toBe(" a\n");
  });

  test("given twice are an error", () => {
    const problems = problemsOf({ WEBHOOK_SECRET: "canary", WEBHOOK_SECRET_FILE: file("canary") });
    expect(problems).toEqual(["WEBHOOK_SECRET and WEBHOOK_SECRET_FILE are both set; one is enough"]);
  });

  test("in a file that cannot be read are an error, which does not show the path", () => {
    const path = join(folder, "canary");
    expect(problemsOf({ REDIS_URL_FILE: path })).toEqual(["REDIS_URL_FILE names a file that cannot be read"]);
  });

  test("from a file hold to the setting's form", () => {
    expect(problemsOf({ REDIS_URL_FILE: file("http://canary") })).toEqual([expect.stringMatching(/^REDIS_URL must/)]);
    expect(problemsOf({ WEBHOOK_SECRET_FILE: file("\n") })).toEqual(["WEBHOOK_SECRET must not be empty"]);
  });

  test("only secrets are read from files", () => {
    expect(configOf({ PORT_FILE: file("1") }).http.PORT).toBe(8080);
  });

  test("never appear in errors", () => {
    for (const name of secretNames) {
      const canary = "canary-0123456789";
      expect(problemsOf({ [name]: canary, DATABASE_URL: "canary" }).join("\n")).not.toContain("canary");
      expect(problemsOf({ [`${name}_FILE`]: file(canary), PORT: "x" }).join("\n")).not.toContain("canary");
    }
  });

  test("SCRIBE_ENCRYPTION_KEY is required with DATABASE_URL", () => {
    const DATABASE_URL = "postgres://localhost/scribe";
    expect(problemsOf({ DATABASE_URL })).toEqual([expect.stringMatching(/^SCRIBE_ENCRYPTION_KEY is required/)]);
    expect(problemsOf({ DATABASE_URL, SCRIBE_ENCRYPTION_KEY: KEY })).toEqual([]);
    expect(problemsOf({ DATABASE_URL, SCRIBE_ENCRYPTION_KEY_FILE: file(`${KEY}\n`) })).toEqual([]);
    expect(problemsOf({ DATABASE_URL_FILE: file(DATABASE_URL) })).toHaveLength(1);
  });
});

test("unknown SCRIBE_ names are warned of, by name alone", () => {
  const { warnings } = readConfig({
    SCRIBE_MODLE: "canary",
    SCRIBE_MODEL_FILE: "canary",
    SCRIBE_ADMIN_KEY_FILE: "",
    SCRIBE_TEST_AUDIO: "/somewhere",
    PATH: "/bin",
  });
  expect(warnings).toEqual([
    "SCRIBE_MODLE is not a setting that is known here",
    "SCRIBE_MODEL_FILE is not a setting that is known here",
  ]);
});

describe("the documentation", () => {
  test("mentions every setting, with its file where it is a secret", () => {
    const table = configTable();
    const example = envExample();
    for (const [name, { secret, description, fallback }] of all) {
      expect(description).not.toBe("");
      expect(table).toContain(`| \`${name}\``);
      expect(table.includes(`\`${name}_FILE\``)).toBe(secret);
      expect(example).toContain(`\n#${name}=${fallback ?? ""}\n`);
    }
  });

  test("the table has three columns in every row", () => {
    for (const line of configTable().trimEnd().split("\n")) {
      expect(line.replaceAll("\\|", "").split("|")).toHaveLength(5);
    }
  });

  test("the example, uncommented, reads as the defaults", () => {
    const lines = envExample().matchAll(/^#([A-Z][A-Z0-9_]+)=(.*)$/gm);
    const env = Object.fromEntries([...lines].map(([, name, value]) => [name!, value!]));
    expect(Object.keys(env)).toHaveLength(all.length);
    expect(readConfig(env)).toEqual(readConfig({}));
  });
});
