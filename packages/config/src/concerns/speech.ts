import { list, listOf, oneOf, setting, text, whole } from "../setting.ts";
import { hubSettings } from "./hub.ts";

/** `name=value` between commas, as a record. */
const named = list
  .refine((items) => items.every((item) => /^[^=\s]+=[^=\s]+$/.test(item)), "must read name=owner/name, …")
  .transform((items) => Object.fromEntries(items.map((item) => item.split("=") as [string, string])));

export const speechSettings = {
  SCRIBE_MODEL: setting(text, {
    fallback: "whisper-nano.en",
    description:
      "The default model: a bundled name, a folder, or an id of Hugging Face (`owner/name`, `owner/name@revision`)",
  }),
  SCRIBE_MODELS: setting(list, { fallback: "", description: "Further models that callers may name" }),
  SCRIBE_MODEL_NAMES: setting(named, {
    fallback: "",
    description: "Further names of models that are known by others, `name=owner/name` between commas",
  }),
  SCRIBE_MODEL_DIR: setting(text, {
    description: "Folder of models, and where fetched ones go; absent: `models` under SCRIBE_DATA_DIR",
  }),
  ...hubSettings,
  EXECUTION_PROVIDERS: setting(listOf(["auto", "cuda", "webgpu", "cpu"]), {
    fallback: "auto",
    description: "Where models run: the first that works (`auto` = cuda, webgpu, cpu)",
  }),
  INTRA_OP_THREADS: setting(whole(0, 1024), {
    fallback: "0",
    description: "Threads of one run; 0: the machine's cores",
  }),
  SPEECH_PRECISION: setting(oneOf(["auto", "fp32", "fp16", "int8", "int4"]), {
    fallback: "auto",
    description:
      "How models compute; `auto`: fp32, the reference's text. `int8` is faster on a processor, and taken only where it keeps the text",
  }),
  MODEL_PRELOAD: setting(list, { fallback: "", description: "Models that are loaded when the worker starts" }),
  MODEL_MEMORY_LIMIT: setting(whole(0, 2 ** 50), {
    fallback: "0",
    description: "Bytes that the weights of loaded models may have together; unused ones leave for others. 0: no limit",
  }),
  MODEL_IDLE_SECONDS: setting(whole(0, 10_000_000), {
    fallback: "900",
    description: "An unused speech process ends after this time, and gives its memory back; 0: never",
  }),
  DIARIZATION_SPEED: setting(oneOf(["auto", "exact", "fast"]), {
    fallback: "auto",
    description: "How finely the speaker networks look: `exact`, `fast`; `auto`: fast without a GPU",
  }),
  DIARIZATION_SEGMENTATION_MODEL: setting(text, {
    description: "Folder or hub id of a pyannote segmentation model in ONNX; absent: speakers are told apart without",
  }),
  DIARIZATION_EMBEDDING_MODEL: setting(text, {
    description: "Folder or hub id of a WeSpeaker embedding model in ONNX, with PLDA files or without",
  }),
} as const;
