import { SpeechError } from "../speech-error.ts";

export type HubFailure =
  /** There is no such model, revision or file. */
  | "not_found"
  /** The model needs a token, or another one. */
  | "refused"
  /** The hub cannot be reached, or only fails, or is not to be asked. */
  | "unreachable"
  /** What came is not what was announced. */
  | "damaged"
  /** The files are no Whisper model that can be run here. */
  | "unfit"
  | "disk_full";

/** A model could not be had. The message is fit for operators; it names no token. */
export class HubError extends SpeechError {
  readonly reason: HubFailure;

  constructor(reason: HubFailure, message: string, cause?: unknown) {
    super(reason === "unfit" ? "invalid_model" : "model_unavailable", message, cause);
    this.reason = reason;
  }
}
