import { access } from "node:fs/promises";
import { join } from "node:path";
import { compileModel, type Precision } from "../compile/compile-model.ts";
import { CompiledModel } from "../compile/compiled-model.ts";
import { hashModelFolder } from "../model/model-info.ts";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { asSpeechError } from "../speech-error.ts";
import { alignmentHeads } from "../whisper/words/find-alignment.ts";
import { OnnxExportModel } from "./onnx-export-model.ts";
import type { SessionSettings } from "./open-session.ts";
import type { WhisperModel } from "./whisper-model.ts";

/** How safetensors become graphs. */
export type GraphSettings = {
  /** Compiled graphs are kept here. */
  cacheFolder: string;
  precision: Precision;
};

export type ModelSettings = SessionSettings & {
  /** Absent: models are opened from their ONNX exports only. */
  graphs?: GraphSettings | undefined;
  /** Told where a model's own weights could not be compiled and its export is taken. */
  onCompileRefused?: (reason: string) => void;
};

/**
 * Opens a model by what its folder offers: its safetensors, compiled into graphs of our own, or else its ONNX export.
 * Compiled graphs run on the processor only.
 */
export async function openWhisperModel(model: ModelFolder, settings: ModelSettings): Promise<WhisperModel> {
  const { graphs } = settings;
  const onProcessor = settings.executionProviders.every((name) => name === "cpu" || name === "auto");
  const hasExport = await exists(join(model.folder, "onnx", "decoder_model_merged.onnx"));
  if (graphs && (onProcessor || !hasExport) && (await hasWeights(model.folder))) {
    try {
      const heads = alignmentHeads(model);
      const modelHash = await hashModelFolder(model.folder);
      const files = await compileModel(model, { ...graphs, modelHash, alignmentHeads: heads });
      return await CompiledModel.open(model, files, heads, { ...settings, executionProviders: ["cpu"] });
    } catch (error) {
      if (!hasExport) throw error;
      settings.onCompileRefused?.(asSpeechError(error).message);
    }
  }
  return OnnxExportModel.open(model, settings);
}

async function hasWeights(folder: string): Promise<boolean> {
  return (
    (await exists(join(folder, "model.safetensors"))) || (await exists(join(folder, "model.safetensors.index.json")))
  );
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
