import type { CageOptions } from "./cage.ts";

export interface AudioStream {
  /** Among all streams of the file. */
  readonly index: number;
  readonly codec: string;
  readonly sampleRate: number;
  readonly channels: number;
  readonly channelLayout?: string;
  readonly language?: string;
}

export interface ProbedMedia {
  readonly container: string;
  /** What the file says of itself; absent where it says nothing, and not to be trusted. */
  readonly durationSeconds?: number;
  readonly audioStreams: readonly AudioStream[];
  /** A moving picture; cover art is none. */
  readonly hasVideo: boolean;
}

export async function probeMedia(_path: string, _options: CageOptions): Promise<ProbedMedia> {
  throw new Error("not built yet");
}
