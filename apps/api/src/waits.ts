/** How long the API waits for others, in milliseconds. */
export interface Waits {
  /** An equal post for the first to end. */
  idempotencyMs: number;
  /** The next byte of an upload. */
  uploadIdleMs: number;
  /** Over how long the pace of an upload is measured. */
  uploadPaceMs: number;
  /** A JSON body, in all. */
  bodyMs: number;
  /** Between the comments that keep an event stream's connection from looking dead. */
  streamCommentMs: number;
  /** A reader of events or results whose socket is full. */
  slowReaderMs: number;
  /** With the headers of an answer that another service's client waits for; their clients give up after a minute. */
  foreignHeadersMs: number;
  /** Between the bytes that keep such an answer's connection from looking dead. */
  foreignFillerMs: number;
}

export const WAITS: Waits = {
  idempotencyMs: 10_000,
  uploadIdleMs: 30_000,
  uploadPaceMs: 30_000,
  bodyMs: 30_000,
  streamCommentMs: 15_000,
  slowReaderMs: 30_000,
  foreignHeadersMs: 45_000,
  foreignFillerMs: 15_000,
};
