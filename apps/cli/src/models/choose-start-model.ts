import { resolve } from "node:path";
import { ConfigError, readConfig } from "@scribe/config";

/** What a first start takes where nobody named a model: small enough to be fetched while one reads on. */
const REAL_MODEL = "openai/whisper-base";
/** Nobody waits longer than this to hear whether the hub is there. */
const PATIENCE_MS = 2_500;

/**
 * The settings that say which model a start without SCRIBE_MODEL takes: a real one where it is here or the hub answers in
 * time, else none, and with a warning the bundled one. Never rejects: what is wrong with the settings is the start's to say.
 */
export async function chooseStartModel(
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
  patienceMs = PATIENCE_MS,
): Promise<NodeJS.ProcessEnv> {
  if (env.SCRIBE_MODEL) return {};
  try {
    return await choose(env, log, patienceMs);
  } catch (error) {
    if (!(error instanceof ConfigError)) log(`Warning: no model could be chosen: ${(error as Error).message}`);
    return {};
  }
}

async function choose(env: NodeJS.ProcessEnv, log: (line: string) => void, patienceMs: number) {
  const { data, speech } = readConfig(env).config;
  const bundled = speech.SCRIBE_MODEL;
  const { findCached, listHubFiles, openHub, parseModelId } = await import("@scribe/speech");
  const hub = openHub(speech, resolve(data.SCRIBE_DATA_DIR));
  const id = parseModelId(REAL_MODEL)!;
  const chosen = { SCRIBE_MODEL: REAL_MODEL, SCRIBE_MODELS: [bundled, ...speech.SCRIBE_MODELS].join(",") };
  for (const folder of [hub.cacheFolder, ...(hub.alsoLookIn ?? [])]) {
    if ((await findCached(folder, id)) !== null) return chosen;
  }
  const why = hub.offline ? "HF_HUB_OFFLINE is set" : await asked();
  if (why === null) {
    log(`The model ${REAL_MODEL} (about 300 MB) is fetched in the background; the first job waits for it.`);
    return chosen;
  }
  log(
    `Warning: ${REAL_MODEL} cannot be fetched now (${why}), so the bundled ${bundled} is used: it shows that all works, and ` +
      "knows simple English only. For real recordings set SCRIBE_MODEL, or start again with the network there.",
  );
  return {};

  async function asked(): Promise<string | null> {
    try {
      await listHubFiles({ ...hub, tries: 1 }, id, AbortSignal.timeout(patienceMs));
      return null;
    } catch (error) {
      return (error as Error).name === "TimeoutError" ? "the hub does not answer" : (error as Error).message;
    }
  }
}
