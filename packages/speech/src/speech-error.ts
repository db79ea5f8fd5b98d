/** What can go wrong in speech recognition, by the codes that callers act on. */
export type SpeechErrorCode =
  | "model_unavailable"
  | "invalid_model"
  | "language_unsupported"
  | "out_of_memory"
  | "timeout"
  | "worker_crashed"
  | "cancelled"
  | "invalid_option"
  | "internal";

/** The codes that another try of the same request may cure. */
const RETRYABLE: ReadonlySet<SpeechErrorCode> = new Set([
  "model_unavailable",
  "out_of_memory",
  "timeout",
  "worker_crashed",
  "internal",
]);

/** An error of the speech engine; `message` is fit for operators, and holds no audio or text. */
export class SpeechError extends Error {
  override readonly name = "SpeechError";
  readonly code: SpeechErrorCode;
  readonly retryable: boolean;

  constructor(code: SpeechErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = RETRYABLE.has(code);
  }
}

/** The form in which an error crosses the channel between processes. */
export type SpeechErrorMessage = { code: SpeechErrorCode; message: string };

/** How onnxruntime, its providers and V8 say that memory could not be had. */
const OUT_OF_MEMORY =
  /bad.alloc|out.of.(device.|host.)?memory|failed to allocate|alloc_failed|allocation failed|smaller than requested bytes/i;

/** Any thrown value as a SpeechError: native allocation failures become `out_of_memory`, the unexpected `internal`. */
export function asSpeechError(error: unknown): SpeechError {
  if (error instanceof SpeechError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (OUT_OF_MEMORY.test(message)) return new SpeechError("out_of_memory", message, error);
  return new SpeechError("internal", message, error);
}
