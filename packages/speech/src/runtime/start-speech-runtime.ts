import { SpeechError } from "../speech-error.ts";
import type { SpeechRuntime, SpeechRuntimeSettings } from "./speech-runtime.ts";

export function startSpeechRuntime(settings: SpeechRuntimeSettings): SpeechRuntime {
  throw new SpeechError("internal", `no runtime for ${settings.executionProviders}`);
}
