export { createOpenaiEngine, type OpenaiEngineOptions } from "./openai-engine.ts";
