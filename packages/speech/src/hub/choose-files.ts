import { NETWORK_PLACES } from "../diarize/neural/network-places.ts";
import { EXPORT_VARIANTS } from "../sessions/export-files.ts";
import { HubError } from "./hub-error.ts";

/**
 * Which weights are wanted: the ONNX export, the original weights, or what there is: what `prefer` says first, else the
 * original weights, which the processor runs fastest. `variant` is an export's suffix, such as `_quantized`; whoever names
 * one means the export. Where none is named, full precision comes first. `network`: no Whisper, but a single graph, such as
 * the two that tell speakers apart, and the PLDA files beside it.
 */
export type WantedFiles = {
  weights?: "onnx" | "safetensors" | "auto" | "network";
  variant?: string;
  prefer?: "onnx" | "safetensors";
};

/** What describes a model. The first three are in every one; of the tokenizer's, what there is. */
const NEEDED = ["config.json", "preprocessor_config.json"];
const DESCRIBING = [
  ...NEEDED,
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "vocab.json",
  "merges.txt",
  "added_tokens.json",
  "special_tokens_map.json",
  "normalizer.json",
];

/**
 * The files of a model that are needed to run it, by name; weights last, so that whoever finds them finds all.
 *
 * @throws HubError `unfit` where something is missing that cannot be done without
 */
export function chooseFiles(names: readonly string[], wanted: WantedFiles = {}): string[] {
  const there = new Set(names);
  if (wanted.weights === "network") return networkFiles(there);
  for (const name of NEEDED) if (!there.has(name)) throw new HubError("unfit", `the model has no ${name}`);
  if (!there.has("tokenizer.json") && !there.has("vocab.json"))
    throw new HubError("unfit", "the model has no tokenizer");
  const { weights = "auto", variant = "" } = wanted;
  const onnx = weights === "safetensors" ? null : exportedFiles(there, variant);
  const original = weights === "onnx" ? null : originalFiles(there);
  const exportFirst = variant !== "" || wanted.prefer === "onnx";
  const chosen = exportFirst ? (onnx ?? original) : (original ?? onnx);
  if (chosen === null)
    throw new HubError("unfit", `the model has no weights that can be run here (${weights}${variant})`);
  return [...DESCRIBING.filter((name) => there.has(name)), ...chosen];
}

function networkFiles(there: ReadonlySet<string>): string[] {
  const graph = NETWORK_PLACES.find((name) => there.has(name));
  if (graph === undefined) throw new HubError("unfit", `the model has none of: ${NETWORK_PLACES.join(", ")}`);
  const plda = [...there].filter((name) => /^(?:plda\/)?[a-z_]+\.npz$/.test(name)).sort();
  return [...plda, ...[`${graph}_data`].filter((name) => there.has(name)), graph];
}

/** Weights beyond 2 GB lie beside their graph. */
function exportedFiles(there: ReadonlySet<string>, wanted: string): string[] | null {
  const variants = wanted === "" ? EXPORT_VARIANTS.map(({ variant }) => variant) : [wanted];
  const all = variants.map((variant) =>
    ["encoder_model", "decoder_model_merged"].map((name) => `onnx/${name}${variant}.onnx`),
  );
  const graphs = all.find((names) => names.every((name) => there.has(name)));
  if (!graphs) return null;
  return [...graphs.map((name) => `${name}_data`).filter((name) => there.has(name)), ...graphs];
}

function originalFiles(there: ReadonlySet<string>): string[] | null {
  if (there.has("model.safetensors")) return ["model.safetensors"];
  const parts = [...there].filter((name) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(name)).sort();
  if (!there.has("model.safetensors.index.json") || parts.length === 0) return null;
  return [...parts, "model.safetensors.index.json"];
}
