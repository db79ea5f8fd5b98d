import { access } from "node:fs/promises";
import { join } from "node:path";
import type { InferenceSession } from "onnxruntime-node";
import { openSession } from "../../sessions/open-session.ts";
import { SpeechError } from "../../speech-error.ts";
import type { Networks } from "./diarize-by-networks.ts";
import { NETWORK_PLACES } from "./network-places.ts";
import { SpeakerEmbedder } from "./speaker-embedder.ts";

export type OpenedNetworks = Networks & { onGpu: boolean; close(): Promise<void> };

/** Opens both networks from their folders; `trunkRuns` says for how much work. Throws `model_unavailable`, `invalid_model`. */
export async function openNetworks(
  folders: { segmentationModel: string; embeddingModel: string },
  settings: { executionProviders: readonly string[]; intraOpThreads: number },
  trunkRuns: number,
): Promise<OpenedNetworks> {
  const refused = new Set<string>();
  const segmentation: InferenceSession = await openSession(await findNetwork(folders.segmentationModel), {
    ...settings,
    onProviderRefused: (provider) => refused.add(provider),
  });
  const provider = settings.executionProviders.find((name) => !refused.has(name)) ?? "cpu";
  const options: InferenceSession.SessionOptions = {
    executionProviders: [provider],
    intraOpNumThreads: settings.intraOpThreads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // Threads that wait do not look for work at all: the cores are for the transcription beside them.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  };
  const embedder = await SpeakerEmbedder.open(await findNetwork(folders.embeddingModel), options, trunkRuns);
  return {
    segmentation,
    embedder,
    onGpu: provider !== "cpu",
    async close() {
      await embedder.close();
      await segmentation.release();
    },
  };
}

async function findNetwork(folder: string): Promise<string> {
  for (const place of NETWORK_PLACES) {
    const path = join(folder, place);
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) return path;
  }
  throw new SpeechError("model_unavailable", `a diarization model's folder has none of: ${NETWORK_PLACES.join(", ")}`);
}
