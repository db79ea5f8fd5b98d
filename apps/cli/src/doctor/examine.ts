import type { Config } from "@scribe/config";
import { examineAccounts } from "./examine-accounts.ts";
import { examineEngine } from "./examine-engine.ts";
import { examineLanguageModel } from "./examine-language-model.ts";
import { examineFolder, examineNode } from "./examine-machine.ts";
import { examinePostgres } from "./examine-postgres.ts";
import { examineProviders } from "./examine-providers.ts";
import { examineApi, examineWebhook } from "./examine-reach.ts";
import { examineRedis } from "./examine-redis.ts";
import { examineStorage } from "./examine-storage.ts";
import { type Finding, wordsOf, wrong } from "./finding.ts";

/** Longer than any check gives its own questions. */
const LIMIT_MS = 30_000;

type Check = [about: string, look: () => Promise<Finding[]>];

/** Looks at all that this configuration needs, one after the other; nothing that it finds stops it. */
export async function examine(config: Config, { webhook }: { webhook?: string | undefined }): Promise<Finding[]> {
  return await lookAtAll([
    ["Node", async () => [examineNode()]],
    ["data folder", () => examineFolder(config)],
    ["Postgres", () => examinePostgres(config)],
    ["Redis", () => examineRedis(config)],
    ["storage", () => examineStorage(config)],
    ["engine", () => examineEngine(config)],
    ["accounts", async () => [examineAccounts(config)]],
    ["language model", async () => [await examineLanguageModel(config)]],
    ["providers", () => examineProviders(config)],
    ["API", () => examineApi(config)],
    ["webhooks", () => examineWebhook(config, webhook)],
  ]);
}

/** A check that fails, or takes longer than its time, is a finding like any other. */
export async function lookAtAll(checks: readonly Check[], limitMs = LIMIT_MS): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [about, look] of checks) {
    try {
      findings.push(...(await withinTime(look(), limitMs)));
    } catch (error) {
      findings.push(wrong(about, wordsOf(error), "npm run doctor   # again; what failed stands before"));
    }
  }
  return findings;
}

async function withinTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
