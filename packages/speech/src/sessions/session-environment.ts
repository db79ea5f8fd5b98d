/**
 * The environment of a process that runs onnxruntime: as ours, but nothing is told to anyone. Its Linux builds since 1.29
 * collect telemetry unless this variable is set before the library is loaded.
 */
export function sessionEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, ORT_DISABLE_TELEMETRY: "1" };
}
