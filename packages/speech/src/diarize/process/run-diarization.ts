import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { sessionEnvironment, YOUNG_MEMORY } from "../../sessions/session-environment.ts";
import { SpeechError, type SpeechErrorCode } from "../../speech-error.ts";
import type { Diarization, DiarizationMessage, DiarizationRequest } from "./diarization.ts";

export type DiarizationOptions = {
  signal: AbortSignal;
  /** The share done, 0…1. */
  onProgress?: (share: number) => void;
  /** The most memory that the process has held, told at its end. */
  onPeakMemory?: (bytes: number) => void;
  /** A child that says nothing for this long is taken for stuck. Default 120,000. */
  silenceMs?: number;
  /** What runs instead of the real child. */
  childPath?: string;
};

const CHILD = fileURLToPath(new URL("./child-main.ts", import.meta.url));
const LAST_WORDS = 2000;

/**
 * Tells the speakers of a recording apart in a process of its own, which ends with it: beside transcription, on another
 * core. Aborting kills it at once and throws the signal's reason. Throws a SpeechError: the child's own, `timeout` where
 * it says nothing for too long, `worker_crashed` where it dies.
 */
export function diarize(request: DiarizationRequest, options: DiarizationOptions): Promise<Diarization> {
  const { signal, onProgress = () => {}, silenceMs = 120_000, childPath = CHILD } = options;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = fork(childPath, [], {
      execArgv: [...process.execArgv, YOUNG_MEMORY],
      env: sessionEnvironment(),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced",
    });
    let lastWords = "";
    let silence: NodeJS.Timeout | undefined;
    const end = (settle: () => void) => {
      clearTimeout(silence);
      signal.removeEventListener("abort", abort);
      child.removeAllListeners("message");
      child.removeAllListeners("exit");
      child.kill("SIGKILL");
      settle();
    };
    const fail = (code: SpeechErrorCode, message: string) => end(() => reject(new SpeechError(code, message)));
    const abort = () => end(() => reject(signal.reason));
    const listen = () => {
      clearTimeout(silence);
      silence = setTimeout(() => fail("timeout", `diarization said nothing for ${silenceMs} ms`), silenceMs);
    };
    signal.addEventListener("abort", abort, { once: true });
    child.stderr?.on("data", (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString()).slice(-LAST_WORDS);
    });
    child.on("error", (error) => fail("worker_crashed", `the diarization process: ${error.message}`));
    child.on("exit", (code, killedBy) =>
      fail("worker_crashed", `the diarization process ended (${killedBy ?? code}): ${lastWords.trim()}`),
    );
    child.on("message", (message: DiarizationMessage) => {
      listen();
      if (message.type === "progress") onProgress(message.share);
      else if (message.type === "done") {
        options.onPeakMemory?.(message.peakMemoryBytes);
        end(() => resolve(message.diarization));
      } else fail(message.code as SpeechErrorCode, message.message);
    });
    listen();
    child.send(request, (error) => error && fail("worker_crashed", `the diarization process: ${error.message}`));
  });
}
