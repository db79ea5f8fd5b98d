// The second door: single parts of the engine, for what measures them and compares them with others. The system itself
// uses the first one.
export { PcmFile } from "./audio/pcm-file.ts";
export { type CompileOptions, compileModel, type GraphForm, type Precision } from "./compile/compile-model.ts";
export { CompiledModel } from "./compile/compiled-model.ts";
export { LEAST_AGREEMENT } from "./compile/judge-int8.ts";
export { openSafetensors, type Safetensors } from "./compile/read-safetensors.ts";
export { LogMel } from "./features/log-mel.ts";
export { melFilters } from "./features/mel-filters.ts";
export { type ModelFolder, readModelFolder } from "./model/read-model-folder.ts";
export { SharedModel } from "./runtime/shared-model.ts";
export { CHARACTER_OF_BYTE } from "./tokenizer/byte-alphabet.ts";
export { findLoop } from "./whisper/guards.ts";
export { indexOfMaximum } from "./whisper/log-softmax.ts";
export { type LogitsRule, suppress, suppressAtBegin, timestampRules } from "./whisper/logits-rules.ts";
export { randomFrom } from "./whisper/random.ts";
