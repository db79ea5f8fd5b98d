/** Node's flag for such a process: what it makes and throws away is small, but much, and V8 would let 48 MB of it gather. */
export const YOUNG_MEMORY = "--max-semi-space-size=4";

/**
 * The environment of a process that runs onnxruntime: as ours, but nothing is told to anyone, and 32 bit are 32 bit. Its
 * Linux builds since 1.29 collect telemetry unless told otherwise before the library is loaded; NVIDIA's libraries cut
 * inputs of fp32 products to 19 bit (TF32) where they are not told either.
 */
export function sessionEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, ORT_DISABLE_TELEMETRY: "1", NVIDIA_TF32_OVERRIDE: "0" };
}
