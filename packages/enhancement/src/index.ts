export { type ChatAnswer, type ChatEndpoint, type ChatRequest, createChatEndpoint } from "./chat-endpoint.ts";
export { type Enhanced, type EnhanceOptions, enhance, type KeptSteps } from "./enhance.ts";
export { type Source, type SourceLine, sourceOfText, sourceOfTranscript } from "./source.ts";
