export type {
  Diarization,
  DiarizationMethod,
  DiarizationRequest,
  LabelledTurn,
} from "./diarize/process/diarization.ts";
export { type DiarizationOptions, diarize } from "./diarize/process/run-diarization.ts";
export type { WantedFiles } from "./hub/choose-files.ts";
export { type FetchModelOptions, fetchModel } from "./hub/fetch-model.ts";
export type { Hub, HubProgress } from "./hub/hub.ts";
export { type CachedModel, findCached, listCached, removeCached } from "./hub/hub-cache.ts";
export { HubError, type HubFailure } from "./hub/hub-error.ts";
export { listHubFiles } from "./hub/list-files.ts";
export { type ModelId, modelName, parseModelId } from "./hub/model-id.ts";
export { type HubSettings, openHub } from "./hub/open-hub.ts";
export type { ModelInfo } from "./model/model-info.ts";
export type {
  BatchRuns,
  ChildExit,
  RuntimeHealth,
  SpeechLogEntry,
  SpeechRuntime,
  SpeechRuntimeSettings,
  TranscribeRequest,
} from "./runtime/speech-runtime.ts";
export { startSpeechRuntime } from "./runtime/start-speech-runtime.ts";
export type { ProviderFallback } from "./sessions/computation.ts";
export { SpeechError, type SpeechErrorCode } from "./speech-error.ts";
export {
  DECODER_VERSION,
  type SpeechCheckpoint,
  type SpeechEvent,
  type SpeechSegment,
  type SpeechWord,
  speechCheckpointSchema,
} from "./speech-events.ts";
export { parseSpeechOptions, type SpeechOptions } from "./speech-options.ts";
