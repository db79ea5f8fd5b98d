import { readdirSync, readFileSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { readConfig } from "@scribe/config";
import type { Command } from "commander";
import { formatTable } from "../print-table.ts";

const BUNDLED = resolve(import.meta.dirname, "../../../../models");

interface Model {
  name: string;
  default: boolean;
  offered: boolean;
  vocabulary: number;
  bytes: number;
  folder: string;
}

export function modelsCommand(program: Command): void {
  const models = program.command("models").description("the models on this machine");
  models
    .command("list")
    .description("model folders, which one is the default, and which ones callers may name")
    .action((_options, command: Command) => {
      const { config } = readConfig(process.env);
      const { SCRIBE_MODEL, SCRIBE_MODELS, SCRIBE_MODEL_DIR } = config.speech;
      const found = findModels(SCRIBE_MODEL_DIR ?? BUNDLED, SCRIBE_MODEL, SCRIBE_MODELS);
      if (command.optsWithGlobals().json) return console.log(JSON.stringify({ models: found }));
      const mark = (model: Model) => (model.default ? "default" : model.offered ? "offered" : "not offered");
      const rows = found.map((model) => [
        ...[model.name, mark(model), `${(model.bytes / 1e6).toFixed(1)} MB`, model.folder],
      ]);
      console.log(formatTable(["model", "", "size", "folder"], rows));
      console.log("\nSCRIBE_MODEL names the default, SCRIBE_MODELS what callers may name beside it.");
    });
}

/** A model folder is one with a Whisper's `config.json`. Names may also be folders themselves. */
function findModels(modelDir: string, fallback: string, offered: readonly string[]): Model[] {
  const inDir = readdirSync(modelDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const names = new Set([fallback, ...offered, ...inDir]);
  return [...names].flatMap((name) => {
    const folder = isAbsolute(name) ? name : join(modelDir, name);
    const config = readModelConfig(folder);
    if (config === null) return [];
    const isDefault = name === fallback;
    return [
      {
        name,
        default: isDefault,
        offered: isDefault || offered.includes(name),
        vocabulary: config.vocab_size,
        bytes: folderBytes(folder),
        folder,
      },
    ];
  });
}

function readModelConfig(folder: string): { vocab_size: number } | null {
  try {
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    return config.model_type === "whisper" ? config : null;
  } catch {
    return null;
  }
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
