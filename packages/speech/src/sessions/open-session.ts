import { access } from "node:fs/promises";
import { InferenceSession } from "onnxruntime-node";
import { asSpeechError, SpeechError } from "../speech-error.ts";
import { providersInOrder } from "./working-provider.ts";

/** How sessions are to be made. */
export type SessionSettings = {
  /** onnxruntime's names, in order of preference; `auto` stands for cuda, webgpu, cpu. */
  executionProviders: readonly string[];
  intraOpThreads: number;
  /** Told once for each provider that could not be used. */
  onProviderRefused?: (provider: string, reason: string) => void;
};

/**
 * How long a thread that has nothing to do looks for more before it sleeps. A step of the decoder is hundreds of operators of a
 * few microseconds each; to wake the other threads for each anew costs a tenth to a third of a step of one row. Who looks for as
 * long as onnxruntime does by itself burns a third of the processor's time, which the lease, the API and other windows want.
 */
const SPIN_MICROSECONDS = 30;

/**
 * Opens an ONNX file with the first provider that takes it. Throws `model_unavailable` where there is no such file,
 * `invalid_model` where no provider can load it.
 */
export async function openSession(
  path: string,
  settings: SessionSettings,
  options: InferenceSession.SessionOptions = {},
): Promise<InferenceSession> {
  await access(path).catch((error) => {
    throw new SpeechError("model_unavailable", `the model lacks ${fileName(path)}`, error);
  });
  let refusal: unknown;
  for (const provider of providersInOrder(settings.executionProviders)) {
    try {
      return await InferenceSession.create(path, {
        executionProviders: [provider],
        intraOpNumThreads: settings.intraOpThreads,
        interOpNumThreads: 1,
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
        extra: { session: { intra_op: { allow_spinning: "1", spin_duration_us: String(SPIN_MICROSECONDS) } } },
        ...options,
      });
    } catch (error) {
      refusal = error;
      settings.onProviderRefused?.(provider, (error as Error).message);
    }
  }
  const { code, message } = asSpeechError(refusal);
  throw new SpeechError(
    code === "out_of_memory" ? code : "invalid_model",
    `${fileName(path)} cannot be loaded: ${message}`,
    refusal,
  );
}

const fileName = (path: string) => path.replace(/^.*\//, "");
