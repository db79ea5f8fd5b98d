export { type AssemblyaiEngineOptions, createAssemblyaiEngine } from "./assemblyai-engine.ts";
