import { access } from "node:fs/promises";
import { join } from "node:path";
import { compileModel, type GraphForm } from "../compile/compile-model.ts";
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
import { needFastProvider, needProvider, providersInOrder } from "./working-provider.ts";

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
 * Opens a model with the first provider that computes here and can take it: its safetensors, compiled into graphs of our
 * own for that provider, or else its ONNX export. Throws `model_unavailable`, `invalid_model`, or `invalid_option` where
 * the precision asked for cannot be had.
 */
export async function openWhisperModel(model: ModelFolder, settings: ModelSettings): Promise<OpenedModel> {
  let failure: unknown;
  const failed: { from: string; reason: string }[] = [];
  for (const provider of providersInOrder(settings.executionProviders)) {
    try {
      await needProvider(provider, provider !== "cpu" && settings.graphs?.precision === "fp16");
      // Whoever names a provider gets it, however slow.
      if (provider === "webgpu" && !settings.executionProviders.includes(provider)) await needFastProvider(provider);
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

/** How models are compiled for a provider. */
const FORMS: Readonly<Record<string, GraphForm>> = { cpu: "loop", webgpu: "steps", cuda: "whole" };

async function openOn(provider: string, model: ModelFolder, settings: ModelSettings): Promise<OpenedModel> {
  const { graphs } = settings;
  const asked = graphs?.precision ?? "auto";
  const precision = choosePrecision(provider, asked);
  const exported = await findExport(model.folder, precision);
  if (graphs && provider in FORMS && (await hasWeights(model.folder))) {
    try {
      return await openCompiled(provider, model, settings, graphs, precision);
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
  provider: string,
  model: ModelFolder,
  settings: ModelSettings,
  { cacheFolder, probe }: GraphSettings,
  asked: Computation["precision"],
): Promise<OpenedModel> {
  const form = FORMS[provider];
  const heads = alignmentHeads(model);
  const options = { modelHash: await hashModelFolder(model.folder), alignmentHeads: heads, cacheFolder };
  const sessions = { ...settings, executionProviders: [provider] };
  const open = async (precision: Computation["precision"]): Promise<OpenedModel> => {
    if (precision === "int4") throw new SpeechError("invalid_option", "graphs of 4 bit weights are not made");
    const files = await compileModel(model, { ...options, precision, form });
    const network = await CompiledModel.open(model, files, heads, sessions);
    return { network, computation: { provider, precision, graphs: "compiled" } };
  };
  if (asked === "int8" && probe !== undefined) {
    const judgement = await judgeInt8(model, { ...options, probe, sessions });
    if (!judgement.passes) {
      const share = (100 * judgement.agreement).toFixed(1);
      settings.onOtherwise?.(
        `the model runs in fp32: in int8 it chose the same token in only ${share} % of ${judgement.steps} steps`,
      );
      return open("fp32");
    }
  }
  return open(asked);
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
