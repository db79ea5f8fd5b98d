import type { FfmpegPrograms } from "./find-ffmpeg.ts";

export interface CageOptions {
  readonly programs: FfmpegPrograms;
  readonly signal?: AbortSignal;
  /** Wall clock of one program; then it is killed, with `timeout`. */
  readonly timeoutMs?: number;
  /** Address space of one program, where `prlimit` can bound it. Default 2 GiB. */
  readonly memoryBytes?: number;
  /** Where the empty working folders are made. Default: the system's temporary folder. */
  readonly temporaryFolder?: string;
}
