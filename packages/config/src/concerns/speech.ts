import { list, listOf, oneOf, setting, text, whole } from "../setting.ts";
import { hubSettings } from "./hub.ts";

export const speechSettings = {
  SCRIBE_MODEL: setting(text, {
    fallback: "whisper-nano.en",
    description:
      "The default model: a bundled name, a folder, or an id of Hugging Face (`owner/name`, `owner/name@revision`)",
  }),
  SCRIBE_MODELS: setting(list, { fallback: "", description: "Further models that callers may name" }),
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
  MODEL_IDLE_SECONDS: setting(whole(0, 10_000_000), {
    fallback: "900",
    description: "An unused speech process ends after this time, and gives its memory back; 0: never",
  }),
  DIARIZATION_SPEED: setting(oneOf(["auto", "exact", "fast"]), {
    fallback: "auto",
    description: "How finely the speaker networks look: `exact`, `fast`; `auto`: fast without a GPU",
  }),
  DIARIZATION_SEGMENTATION_MODEL: setting(text, {
    description: "Folder of a pyannote segmentation model in ONNX; absent: speakers are told apart without",
  }),
  DIARIZATION_EMBEDDING_MODEL: setting(text, {
    description: "Folder of a WeSpeaker embedding model in ONNX, with PLDA files or without",
  }),
} as const;
