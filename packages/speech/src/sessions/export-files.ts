import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Computation } from "./computation.ts";

/** An ONNX export in a model's folder. */
export type ExportFiles = {
  encoder: string;
  decoder: string;
  precision: Computation["precision"];
};

/** Suffixes of exports, the most exact first. */
export const EXPORT_VARIANTS: readonly { variant: string; precision: Computation["precision"] }[] = [
  { variant: "", precision: "fp32" },
  { variant: "_fp16", precision: "fp16" },
  { variant: "_quantized", precision: "int8" },
  { variant: "_int8", precision: "int8" },
  { variant: "_uint8", precision: "int8" },
  { variant: "_q4", precision: "int4" },
  { variant: "_bnb4", precision: "int4" },
  { variant: "_q4f16", precision: "int4" },
];

/**
 * The export of a model: that of the wanted precision where it is whole, else the most exact one of which there is a part:
 * a half is no reason to take another one. Null where there is none.
 */
export async function findExport(
  folder: string,
  wanted: Computation["precision"] = "fp32",
): Promise<ExportFiles | null> {
  const there = new Set(await readdir(join(folder, "onnx")).catch(() => []));
  const has = (name: string) => there.has(name);
  const found =
    EXPORT_VARIANTS.find(({ variant, precision }) => precision === wanted && namesOf(variant).every(has)) ??
    EXPORT_VARIANTS.find(({ variant }) => namesOf(variant).some(has));
  return found ? { ...exportFiles(folder, found.variant), precision: found.precision } : null;
}

/** Where an export lies; nothing is looked for. */
export function exportFiles(folder: string, variant = ""): Pick<ExportFiles, "encoder" | "decoder"> {
  const [encoder, decoder] = namesOf(variant).map((name) => join(folder, "onnx", name));
  return { encoder, decoder };
}

function namesOf(variant: string): string[] {
  return [`encoder_model${variant}.onnx`, `decoder_model_merged${variant}.onnx`];
}
