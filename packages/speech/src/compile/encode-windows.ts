import type { Tensor } from "onnxruntime-node";
import { freeMemory } from "../sessions/free-memory.ts";
import type { EncodedAudio } from "../sessions/whisper-model.ts";
import { SpeechError } from "../speech-error.ts";
import type { GraphForm } from "./compile-model.ts";
import { type Cross, type CrossTensors, crossTensor } from "./cross-tensors.ts";
import type { SlotValues } from "./slot-buffer.ts";
import type { HeardFeatures } from "./whole-batch.ts";

export type CompiledAudio = EncodedAudio & CrossTensors & HeardFeatures & { released: boolean };

/** Runs the encoder over `count` windows' features. */
type RunEncoder = (mel: Float32Array, count: number) => Promise<Record<string, Tensor>>;

/**
 * Windows' keys and values as the form of the graphs wants them: for the loop all windows in one run; for steps each by
 * itself, as it stays on the device; for whole graphs, which encode by themselves, only where somebody asks for them.
 */
export async function encodeWindows(
  form: GraphForm,
  mel: Float32Array,
  batch: number,
  run: RunEncoder,
): Promise<CompiledAudio> {
  const size = mel.length / batch;
  const mels = Array.from({ length: batch }, (_, i) => mel.subarray(i * size, (i + 1) * size));
  const windows: (Cross | undefined)[] = [];
  if (form === "loop") windows.push(...rowsOf(await run(mel, batch), batch));
  else if (form === "steps") for (const one of mels) windows.push(await run(one, 1));
  const audio: CompiledAudio = {
    ...{ batch, mels, released: false },
    async cross(row) {
      if (audio.released) throw new SpeechError("internal", "encoded audio was released too early");
      const cross = windows[row] ?? (await run(mels[row], 1));
      windows[row] = cross;
      return cross;
    },
    release() {
      if (audio.released) return;
      audio.released = true;
      for (const tensor of windows.flatMap((cross) => Object.values(cross ?? {}))) {
        if (tensor.location === "cpu") freeMemory(tensor.data as SlotValues);
        tensor.dispose();
      }
    },
  };
  return audio;
}

/** Each window's part of tensors that hold several; the memory is shared. */
function rowsOf(tensors: Record<string, Tensor>, batch: number): Record<string, Tensor>[] {
  return Array.from({ length: batch }, (_, row) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => {
        const size = tensor.size / batch;
        const own = (tensor.data as SlotValues).subarray(row * size, (row + 1) * size);
        return [name, crossTensor(tensor, own, 1)];
      }),
    ),
  );
}
