import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { promisify } from "node:util";
import type { Config } from "@scribe/config";
import { hubNameOf } from "@scribe/domain";
import { findFfmpeg } from "@scribe/media";
import { type Finding, ok, warning, wordsOf, wrong } from "./finding.ts";

const run = promisify(execFile);
const BUNDLED_MODELS = join(import.meta.dirname, "../../../../models");
const LIMIT_MS = 15_000;

type Engine = typeof import("@scribe/speech");

/** The API's image leaves it out. */
const loadEngine = (): Promise<Engine | undefined> => import("@scribe/speech").catch(() => undefined);

/** What transcribing takes: ffmpeg, the model, a GPU where one is wanted. */
export async function examineEngine(config: Config, load = loadEngine): Promise<Finding[]> {
  const engine = await load();
  if (engine === undefined) return [ok("engine", "a worker's matter: this image has none")];
  return [await examineFfmpeg(), ...(await examineGpu(config)), await examineModel(config, engine)];
}

export async function examineFfmpeg(searchPath?: string): Promise<Finding> {
  try {
    const production = process.env.NODE_ENV === "production" || searchPath !== undefined;
    const { ffmpeg } = await findFfmpeg({ production, ...(searchPath !== undefined && { searchPath }) });
    return ok("ffmpeg", ffmpeg);
  } catch (error) {
    return wrong("ffmpeg", wordsOf(error), "apt-get install ffmpeg");
  }
}

/** @param program `nvidia-smi`, of the driver */
export async function examineGpu({ speech }: Pick<Config, "speech">, program = "nvidia-smi"): Promise<Finding[]> {
  try {
    const question = ["--query-gpu=name,memory.free,driver_version", "--format=csv,noheader"];
    const { stdout } = await run(program, question, { timeout: LIMIT_MS });
    return stdout
      .trim()
      .split("\n")
      .map((line) => ok("GPU", line));
  } catch {
    const says = "nvidia-smi shows none on this machine";
    if (!speech.EXECUTION_PROVIDERS.includes("cuda")) return [ok("GPU", says)];
    const mend = "nvidia-smi   # the driver; a container's GPU: nvidia.com/gpu, --gpus all; or EXECUTION_PROVIDERS=cpu";
    return [wrong("GPU", says, mend)];
  }
}

async function examineModel({ speech, data }: Pick<Config, "speech" | "data">, engine: Engine): Promise<Finding> {
  const name = speech.SCRIBE_MODEL;
  const models = resolve(speech.SCRIBE_MODEL_DIR ?? resolve(data.SCRIBE_DATA_DIR, "models"));
  const isPath = isAbsolute(name) || name.startsWith(".");
  const places = isPath ? [resolve(name)] : [resolve(models, name), join(BUNDLED_MODELS, name)];
  const folder = places.find((place) => existsSync(join(place, "config.json")));
  if (folder !== undefined) return ok("model", `${name} in ${folder}`);
  const id = engine.parseModelId(hubNameOf(name, speech.SCRIBE_MODEL_NAMES));
  if (id === null) {
    return wrong("model", `${name} is in none of ${places.join(", ")}`, "npm run models -- list   # then SCRIBE_MODEL");
  }
  const cached = await engine.findCached(models, id);
  if (cached !== null) return ok("model", `${name} in ${cached}`);
  return warning("model", `${name} is not here yet; a worker fetches it`, `npm run models -- pull ${name}`);
}
