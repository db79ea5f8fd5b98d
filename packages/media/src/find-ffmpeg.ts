import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, chmod } from "node:fs/promises";
import { createRequire } from "node:module";
import { delimiter, isAbsolute, join } from "node:path";

export interface FfmpegPrograms {
  readonly ffmpeg: string;
  readonly ffprobe: string;
  readonly version: string;
  /** `bundled` are the static builds from npm, for trying out: old, and never used in production. */
  readonly source: "system" | "bundled";
  /** Names of the decoders of pictures and subtitles, joined with commas. */
  readonly otherDecoders: string;
  /** Programs that put walls around another; absent where the system has none (macOS, busybox). */
  readonly prlimit?: string;
  readonly setpriv?: string;
}

export interface FindFfmpegOptions {
  readonly production: boolean;
  /** Folders to search, as PATH lists them. Default: the process's PATH. */
  readonly searchPath?: string;
  /** Told once where the bundled programs are used. */
  readonly warn?: (message: string) => void;
}

/** libavformat 59 is ffmpeg 5.0; builds from git have no number of their own. */
const OLDEST_LIBAVFORMAT = 59;

/**
 * Finds ffmpeg and ffprobe: the system's where they are 5 or newer, else the static ones of `@ffmpeg-installer` and
 * `@ffprobe-installer`. Throws an Error that says what to do where there are none, or only bundled ones in production.
 */
export async function findFfmpeg(options: FindFfmpegOptions): Promise<FfmpegPrograms> {
  const folders = (options.searchPath ?? process.env.PATH ?? "").split(delimiter).filter(isAbsolute);
  const [ffmpeg, ffprobe] = await Promise.all([findProgram("ffmpeg", folders), findProgram("ffprobe", folders)]);
  const found = ffmpeg && ffprobe ? await versionOf(ffmpeg) : null;
  const walls = await findWalls(folders);
  if (ffmpeg && ffprobe && found && found.libavformat >= OLDEST_LIBAVFORMAT && (await versionOf(ffprobe))) {
    return {
      ffmpeg,
      ffprobe,
      version: found.version,
      source: "system",
      otherDecoders: await otherDecoders(ffprobe),
      ...walls,
    };
  }
  const lacking = found ? `ffmpeg ${found.version} is too old` : "ffmpeg and ffprobe were not found";
  if (options.production)
    throw new Error(`${lacking}: install ffmpeg 5 or newer (for example: apt-get install ffmpeg).`);
  const bundled = await findBundled();
  if (!bundled)
    throw new Error(`${lacking}, and there is no bundled one for this platform: install ffmpeg 5 or newer.`);
  options.warn?.(
    `${lacking} on this system: using the bundled ${bundled.version}, which is old and for trying out only. Install ffmpeg 5 or newer.`,
  );
  return { ...bundled, source: "bundled", otherDecoders: await otherDecoders(bundled.ffprobe), ...walls };
}

async function findProgram(name: string, folders: readonly string[]): Promise<string | null> {
  for (const folder of folders) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return null;
}

async function findBundled(): Promise<{ ffmpeg: string; ffprobe: string; version: string } | null> {
  const require = createRequire(import.meta.url);
  try {
    const { path: ffmpeg } = require("@ffmpeg-installer/ffmpeg") as { path: string };
    const { path: ffprobe } = require("@ffprobe-installer/ffprobe") as { path: string };
    for (const path of [ffmpeg, ffprobe]) {
      // Their install scripts, which would set this bit, are not run.
      if (!(await isExecutable(path))) await chmod(path, 0o755);
    }
    const [version, probes] = await Promise.all([versionOf(ffmpeg), versionOf(ffprobe)]);
    return version && probes ? { ffmpeg, ffprobe, version: version.version } : null;
  } catch {
    return null; // not installed, or not for this platform: the caller says what to do
  }
}

async function findWalls(folders: readonly string[]): Promise<{ prlimit?: string; setpriv?: string }> {
  const [prlimit, setpriv, nothing] = await Promise.all(
    ["prlimit", "setpriv", "true"].map((name) => findProgram(name, folders)),
  );
  if (!nothing) return {};
  const [limits, dies] = await Promise.all([
    prlimit ? run(prlimit, ["--core=0", "--", nothing]) : null,
    setpriv ? run(setpriv, ["--pdeathsig", "KILL", "--", nothing]) : null,
  ]);
  return { ...(prlimit && limits !== null ? { prlimit } : {}), ...(setpriv && dies !== null ? { setpriv } : {}) };
}

async function versionOf(program: string): Promise<{ version: string; libavformat: number } | null> {
  const output = await run(program, ["-version"]);
  const version = output?.match(/^ff\w+ version (\S+)/)?.[1];
  const libavformat = output?.match(/^libavformat\s+(\d+)\./m)?.[1];
  return version && libavformat ? { version, libavformat: Number(libavformat) } : null;
}

/** From lines such as ` V....D h264                 H.264 / AVC …`. */
async function otherDecoders(ffprobe: string): Promise<string> {
  const list = (await run(ffprobe, ["-v", "error", "-decoders"])) ?? "";
  return [...list.matchAll(/^ [VS]\S{5} ([\w.-]+) /gm)].map(([, name]) => name).join(",");
}

/** Standard output, or null where the program cannot be run, fails, or takes longer than ten seconds. */
function run(program: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(program, args, { env: {}, timeout: 10_000 }, (error, stdout) => resolve(error ? null : stdout));
  });
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
