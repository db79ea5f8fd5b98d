import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Hub } from "./hub.ts";

export type HubSettings = {
  HF_ENDPOINT: string;
  HF_TOKEN?: string | undefined;
  HF_HUB_OFFLINE: boolean;
  HF_HOME?: string | undefined;
  SCRIBE_MODEL_DIR?: string | undefined;
};

/**
 * The hub that the settings mean. Models go into SCRIBE_MODEL_DIR, else into `models` under the data folder; what Hugging
 * Face's own tools have fetched is used where it lies.
 */
export function openHub(settings: HubSettings, dataDir: string): Hub {
  const home = settings.HF_HOME ?? join(homedir(), ".cache", "huggingface");
  return {
    endpoint: settings.HF_ENDPOINT,
    token: settings.HF_TOKEN,
    offline: settings.HF_HUB_OFFLINE,
    cacheFolder: resolve(settings.SCRIBE_MODEL_DIR ?? join(dataDir, "models")),
    alsoLookIn: [join(home, "hub")],
  };
}
