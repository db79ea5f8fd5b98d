import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { isAbsolute, resolve } from "node:path";
import type { Config } from "@scribe/config";
import { hubNameOf } from "@scribe/domain";
import { findCached, openHub, parseModelId, SpeechError, startSpeechRuntime } from "@scribe/speech";
import { WrongUsage } from "../exit.ts";

const BUNDLED = resolve(import.meta.dirname, "../../../../models");

export interface CompiledAhead {
  model: string;
  /** Provider, precision, and whether graphs of our own or an export, e.g. `cpu/fp32/compiled`. */
  computation: string;
  /** Where graphs of our own lie; null where an export is run. */
  graphs: string | null;
  seconds: number;
}

/** Opens a model just as a worker with these settings would: compiles it, judges it, and leaves it ready. */
export async function compileAhead(
  name: string,
  config: Config,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<CompiledAhead> {
  const { speech, data } = config;
  const folder = await findFolder(name, config);
  const cacheFolder = resolve(data.SCRIBE_DATA_DIR, "graphs");
  const runtime = startSpeechRuntime({
    executionProviders: speech.EXECUTION_PROVIDERS,
    intraOpThreads: speech.INTRA_OP_THREADS || availableParallelism(),
    graphs: { cacheFolder, precision: speech.SPEECH_PRECISION, probe: resolve(BUNDLED, "sample/dialogue.wav") },
    log: ({ level, message, reason, provider }) => {
      if (level === "warn" && reason !== undefined) log([message, provider, reason].filter(Boolean).join(": "));
    },
  });
  const begun = performance.now();
  try {
    const computation = await runtime.preload(folder, signal);
    const graphs = computation.endsWith("/compiled") ? cacheFolder : null;
    return { model: name, computation, graphs, seconds: (performance.now() - begun) / 1000 };
  } catch (error) {
    if (error instanceof SpeechError) throw new WrongUsage(`${name} cannot be run: ${error.message}`);
    throw error;
  } finally {
    await runtime.close();
  }
}

async function findFolder(name: string, { speech, data }: Config): Promise<string> {
  const hub = openHub(speech, resolve(data.SCRIBE_DATA_DIR));
  const places = isAbsolute(name) || name.startsWith(".") ? [""] : [hub.cacheFolder, BUNDLED];
  const here = places.map((place) => resolve(place, name)).find((folder) => existsSync(folder));
  if (here !== undefined) return here;
  const id = parseModelId(hubNameOf(name, speech.SCRIBE_MODEL_NAMES));
  for (const cache of id === null ? [] : [hub.cacheFolder, ...(hub.alsoLookIn ?? [])]) {
    const found = await findCached(cache, id!);
    if (found !== null) return found;
  }
  const pull = id === null ? "" : `; fetch it first: npm run models -- pull ${id.repo}`;
  throw new WrongUsage(`There is no model "${name}" here${pull}.`);
}
