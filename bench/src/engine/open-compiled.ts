import { CompiledModel, compileModel, type ModelFolder, type Precision } from "@scribe/speech/parts";

/** Both sides of every comparison get so many threads. */
export const THREADS = 2;

/** A model compiled into `cacheFolder` and opened on the processor. */
export async function openCompiled(model: ModelFolder, precision: Precision, cacheFolder: string) {
  const heads = model.generation.alignment_heads ?? [];
  const files = await compileModel(model, { modelHash: model.folder, precision, alignmentHeads: heads, cacheFolder });
  return CompiledModel.open(model, files, heads, { executionProviders: ["cpu"], intraOpThreads: THREADS });
}
