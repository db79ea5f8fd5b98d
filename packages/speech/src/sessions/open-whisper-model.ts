import { access } from "node:fs/promises";
import { join } from "node:path";
import { compileModel } from "../compile/compile-model.ts";
import { CompiledModel } from "../compile/compiled-model.ts";
import { judgeInt8 } from "../compile/judge-int8.ts";
import { hashModelFolder } from "../model/model-info.ts";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { asSpeechError, SpeechError } from "../speech-error.ts";
import { alignmentHeads } from "../whisper/words/find-alignment.ts";
import { type Computation, choosePrecision, type PrecisionChoice, type ProviderFallback } from "./computation.ts";
import { findExport } from "./export-files.ts";
import { OnnxExportModel } from "./onnx-export-model.ts";
import type { SessionSettings } from "./open-session.ts";
import type { WhisperModel } from "./whisper-model.ts";
import { needProvider, providersInOrder } from "./working-provider.ts";

/** How safetensors become graphs. */
export type GraphSettings = {
  /** Compiled graphs are kept here. */
  cacheFolder: string;
  precision: PrecisionChoice;
  /** WAV of speech, 16 kHz mono, by which 8 bit graphs are held against 32 bit; absent: 8 bit is taken unseen. */
  probe?: string | undefined;
};

export type ModelSettings = Omit<SessionSettings, "onProviderRefused"> & {
  /** Told, once the model is open, of each provider that it should have had before. */
  onFallback?: (fallback: ProviderFallback) => void;
  /** Absent: models are opened from their ONNX exports only. */
  graphs?: GraphSettings | undefined;
  /** Told where something else is run than what was asked for, or would be best. */
  onOtherwise?: (reason: string) => void;
};

export type OpenedModel = { network: WhisperModel; computation: Computation };

/**
 * Opens a model with the first provider that computes here and can take it: on the processor its safetensors, compiled
 * into graphs of our own, or else its ONNX export. Throws `model_unavailable`, `invalid_model`, or `invalid_option` where
 * the precision asked for cannot be had.
 */
export async function openWhisperModel(model: ModelFolder, settings: ModelSettings): Promise<OpenedModel> {
  let failure: unknown;
  const failed: { from: string; reason: string }[] = [];
  for (const provider of providersInOrder(settings.executionProviders)) {
    try {
      await needProvider(provider);
    } catch (error) {
      failure = new SpeechError("invalid_model", `no execution provider works: ${(error as Error).message}`, error);
      failed.push({ from: provider, reason: (error as Error).message });
      continue;
    }
    try {
      const opened = await openOn(provider, model, settings);
      for (const one of failed) settings.onFallback?.({ ...one, to: provider, when: "start" });
      return opened;
    } catch (error) {
      failure = error;
      failed.push({ from: provider, reason: (error as Error).message });
    }
  }
  throw failure;
}

async function openOn(provider: string, model: ModelFolder, settings: ModelSettings): Promise<OpenedModel> {
  const { graphs } = settings;
  const asked = graphs?.precision ?? "auto";
  const precision = choosePrecision(provider, asked);
  const exported = await findExport(model.folder, precision);
  if (graphs && provider === "cpu" && (await hasWeights(model.folder))) {
    try {
      return await openCompiled(model, settings, graphs, precision === "int8");
    } catch (error) {
      if (!exported) throw error;
      settings.onOtherwise?.(
        `the original weights were not compiled, the export is used: ${asSpeechError(error).message}`,
      );
    }
  }
  if (!exported) throw new SpeechError("model_unavailable", `the model lacks weights that can be run on ${provider}`);
  if (asked !== "auto" && exported.precision !== precision) {
    throw new SpeechError("invalid_option", `the model has no export in ${precision}`);
  }
  const network = await OnnxExportModel.open(model, { ...settings, executionProviders: [provider] }, exported);
  return { network, computation: { provider, precision: exported.precision, graphs: "export" } };
}

/** Graphs of our own; in 8 bit only where they say what those in 32 bit say. */
async function openCompiled(
  model: ModelFolder,
  settings: ModelSettings,
  { cacheFolder, probe }: GraphSettings,
  inInt8: boolean,
): Promise<OpenedModel> {
  const heads = alignmentHeads(model);
  const options = { modelHash: await hashModelFolder(model.folder), alignmentHeads: heads, cacheFolder };
  const sessions = { ...settings, executionProviders: ["cpu"] };
  const open = async (precision: "fp32" | "int8"): Promise<OpenedModel> => {
    const files = await compileModel(model, { ...options, precision });
    const network = await CompiledModel.open(model, files, heads, sessions);
    return { network, computation: { provider: "cpu", precision, graphs: "compiled" } };
  };
  if (inInt8 && probe !== undefined) {
    const judgement = await judgeInt8(model, { ...options, probe, sessions });
    if (!judgement.passes) {
      const share = (100 * judgement.agreement).toFixed(1);
      settings.onOtherwise?.(
        `the model runs in fp32: in int8 it chose the same token in only ${share} % of ${judgement.steps} steps`,
      );
      return open("fp32");
    }
  }
  return open(inInt8 ? "int8" : "fp32");
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
