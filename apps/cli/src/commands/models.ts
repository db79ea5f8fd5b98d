import { resolve } from "node:path";
import { type Config, readConfig } from "@scribe/config";
import { hubNameOf } from "@scribe/domain";
import { type Command, Option } from "commander";
import { WrongUsage } from "../exit.ts";
import { printTable } from "../print-table.ts";
import { untilSignal } from "../stack/until-signal.ts";

const HELP = `
A model is a bundled name, a folder, or an id of Hugging Face: owner/name, or owner/name@revision. SCRIBE_MODEL names the
default, SCRIBE_MODELS what callers may name beside it; a worker fetches by itself what is named and not here.

Fetched models go into SCRIBE_MODEL_DIR (else into models under SCRIBE_DATA_DIR), in the layout of Hugging Face's own cache;
what its tools have fetched is used where it lies. A pull that was cut off goes on where it stopped.

Examples:
  npm run models -- list
  npm run models -- pull openai/whisper-base
  npm run models -- compile openai/whisper-base
  npm run models -- pull openai/whisper-large-v3-turbo@main --weights safetensors
  npm run models -- rm openai/whisper-base

HF_ENDPOINT names a mirror, HF_TOKEN opens private and gated models, HF_HUB_OFFLINE=1 forbids to fetch.`;

interface Options {
  json?: boolean;
  weights: "auto" | "onnx" | "safetensors";
  variant: string;
}

export function modelsCommand(program: Command): void {
  const models = program
    .command("models")
    .description("list, fetch, compile and remove models")
    .addHelpText("after", HELP);
  models
    .command("list")
    .description("models on this machine, which one is the default, and which ones callers may name")
    .action((_options, command: Command) => list(command.optsWithGlobals<Options>()));
  models
    .command("pull <id>")
    .description("fetch a model of Hugging Face, or what is new of it; prints its folder")
    .addOption(
      new Option("--weights <kind>", "auto: the original weights where there are some")
        .choices(["auto", "onnx", "safetensors"])
        .default("auto"),
    )
    .option("--variant <suffix>", "of the ONNX export, such as _quantized", "")
    .action((id: string, _options, command: Command) => pull(id, command.optsWithGlobals<Options>()));
  models
    .command("rm <id>")
    .description("remove a fetched model with all its revisions")
    .action((id: string, _options, command: Command) => remove(id, command.optsWithGlobals<Options>()));
  models
    .command("compile <name>")
    .description("make a model ready to run as the worker would, and print how it will be computed")
    .action((name: string, _options, command: Command) => compile(name, command.optsWithGlobals<Options>()));
}

async function list({ json }: Options): Promise<void> {
  // Loaded here: no other command needs it.
  const { listModels } = await import("../models/list-models.ts");
  const found = await listModels(settings());
  if (json) return console.log(JSON.stringify({ models: found }));
  printTable(
    ["model", "revision", "", "size", "folder"],
    found.map((model) => [
      ...[model.name, model.revision?.slice(0, 12) ?? ""],
      model.default ? "default" : model.offered ? "offered" : "not offered",
      ...[`${(model.bytes / 1e6).toFixed(1)} MB`, model.folder],
    ]),
  );
}

async function pull(text: string, { json, weights, variant }: Options): Promise<void> {
  const { fetchModel, openHub } = await import("@scribe/speech");
  const { showFetch } = await import("../models/show-fetch.ts");
  const id = await readId(text);
  const { data, speech } = settings();
  const stop = untilSignal();
  try {
    const folder = await fetchModel(id, {
      hub: openHub(speech, resolve(data.SCRIBE_DATA_DIR)),
      files: { weights, variant },
      refresh: true,
      signal: stop.signal,
      onProgress: showFetch(process.stderr),
      onWait: () => console.error("Another process is fetching this model; waiting for it."),
    });
    console.log(json ? JSON.stringify({ model: text, folder }) : folder);
  } finally {
    stop.dispose();
  }
}

async function remove(text: string, { json }: Options): Promise<void> {
  const { openHub, removeCached } = await import("@scribe/speech");
  const { repo } = await readId(text);
  const { data, speech } = settings();
  const hub = openHub(speech, resolve(data.SCRIBE_DATA_DIR));
  if (!(await removeCached(hub.cacheFolder, repo))) throw new WrongUsage(`${repo} is not in ${hub.cacheFolder}.`);
  console.log(json ? JSON.stringify({ removed: repo }) : `Removed ${repo}.`);
}

/** What the worker does when a model is first asked for, so that the first job need not wait for it. */
async function compile(name: string, { json }: Options): Promise<void> {
  const { compileAhead } = await import("../models/compile-ahead.ts");
  const stop = untilSignal();
  try {
    const made = await compileAhead(name, settings(), stop.signal, (line) => console.error(line));
    if (json) return console.log(JSON.stringify(made));
    printTable(
      ["model", "runs as", "graphs", "ready in"],
      [[made.model, made.computation, made.graphs ?? "", `${made.seconds.toFixed(1)} s`]],
    );
  } finally {
    stop.dispose();
  }
}

async function readId(text: string) {
  const { parseModelId } = await import("@scribe/speech");
  const id = parseModelId(hubNameOf(text, settings().speech.SCRIBE_MODEL_NAMES));
  if (id === null)
    throw new WrongUsage(`"${text}" is no id of Hugging Face; one reads owner/name or owner/name@revision.`);
  return id;
}

function settings(): Config {
  const { config, warnings } = readConfig(process.env);
  for (const warning of warnings) console.error(warning);
  return config;
}
