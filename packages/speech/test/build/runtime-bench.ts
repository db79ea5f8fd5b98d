import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "@jest/globals";
import {
  type SpeechOptions,
  type SpeechRuntime,
  type SpeechRuntimeSettings,
  startSpeechRuntime,
  type TranscribeRequest,
} from "../../src/index.ts";
import { NANO, PARK, writeSpeech } from "./samples.ts";

export const CPU = { executionProviders: ["cpu"], intraOpThreads: 1 };
export const never: AbortSignal = new AbortController().signal;

let ids = 0;

/** What is asked of a runtime in tests of the runtime. */
export const request = (options: SpeechOptions = {}, more: Partial<TranscribeRequest> = {}): TranscribeRequest => ({
  id: `request-${++ids}`,
  model: NANO,
  pcmPath: PARK,
  // One temperature and no threshold: the bundled model doubts much of what it says.
  options: { temperature: 0, logprob_threshold: null, ...options },
  ...more,
});

/** A folder for the tests of a file, with 65 s of speech: what takes long enough to be broken off. */
export function useSpeechFolder() {
  const folder = mkdtempSync(join(tmpdir(), "scribe-speech-"));
  const long = join(folder, "long.pcm");
  beforeAll(() => writeSpeech(long, 65));
  afterAll(() => rm(folder, { recursive: true }));
  return { folder, long };
}

/** A runtime of its own, closed after the test. */
export async function withRuntime(
  settings: Partial<SpeechRuntimeSettings>,
  test: (own: SpeechRuntime) => Promise<void>,
) {
  const own = startSpeechRuntime({ ...CPU, ...settings });
  try {
    await test(own);
  } finally {
    await own.close();
  }
}
