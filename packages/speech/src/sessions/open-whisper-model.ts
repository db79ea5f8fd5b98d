import type { ModelFolder } from "../model/read-model-folder.ts";
import { OnnxExportModel } from "./onnx-export-model.ts";
import type { SessionSettings } from "./open-session.ts";
import type { WhisperModel } from "./whisper-model.ts";

/** Opens a model by what its folder offers. */
export async function openWhisperModel(model: ModelFolder, settings: SessionSettings): Promise<WhisperModel> {
  return OnnxExportModel.open(model, settings);
}
