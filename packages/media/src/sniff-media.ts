/** How many bytes from the start `sniffMedia` wants to see (fewer are fine where the file is shorter). */
export const SNIFF_BYTES = 8192;

export interface SniffedMedia {
  /** Our name of the container: `wav`, `mp3`, `mp4`, `webm`, … */
  readonly container: string;
  /** For storing and serving; a guess where the container holds both sound and picture. */
  readonly contentType: string;
}

export function sniffMedia(_firstBytes: Uint8Array): SniffedMedia | null {
  throw new Error("not built yet");
}
