export type {
  Diarization,
  DiarizationMethod,
  DiarizationRequest,
  LabelledTurn,
} from "./diarize/process/diarization.ts";
export { type DiarizationOptions, diarize } from "./diarize/process/run-diarization.ts";
export type { ModelInfo } from "./model/model-info.ts";
export type {
  ChildExit,
  RuntimeHealth,
  SpeechLogEntry,
  SpeechRuntime,
  SpeechRuntimeSettings,
  TranscribeRequest,
} from "./runtime/speech-runtime.ts";
export { startSpeechRuntime } from "./runtime/start-speech-runtime.ts";
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
