export interface FfmpegPrograms {
  readonly ffmpeg: string;
  readonly ffprobe: string;
  readonly version: string;
  /** `bundled` are the static builds from npm, for trying out: old, and never used in production. */
  readonly source: "system" | "bundled";
}

export interface FindFfmpegOptions {
  readonly production: boolean;
  /** Folders to search, as PATH lists them. */
  readonly searchPath?: string;
  /** Told once where the bundled programs are used. */
  readonly warn?: (message: string) => void;
}

export async function findFfmpeg(_options: FindFfmpegOptions): Promise<FfmpegPrograms> {
  throw new Error("not built yet");
}
