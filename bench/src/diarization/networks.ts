import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { diarize } from "@scribe/speech";
import { median, printTable } from "../print-table.ts";
import { embeddingOfPublishedShape, segmentationOfPublishedShape } from "./published-shapes.ts";
import type { Recording } from "./recordings.ts";

/** Folders of two networks. */
export type NetworkFolders = { segmentationModel: string; embeddingModel: string };

/** Times real time, on two cores. */
const TARGETS = { exact: 4, fast: 20 } as const;
/** Between windows of 10 s. */
const STEP_SECONDS = { exact: 1, fast: 2.5 } as const;
const SECONDS = 120;
const ROUNDS = 3;

/** What DIARIZATION_SEGMENTATION_MODEL and DIARIZATION_EMBEDDING_MODEL name. */
export function givenNetworks(): NetworkFolders | undefined {
  const { DIARIZATION_SEGMENTATION_MODEL: segmentationModel, DIARIZATION_EMBEDDING_MODEL: embeddingModel } =
    process.env;
  return segmentationModel && embeddingModel ? { segmentationModel, embeddingModel } : undefined;
}

/** The given networks, else the published shapes with random weights, which hear two speakers all the time. */
export function networkFolders(folder: string): NetworkFolders {
  return givenNetworks() ?? writeRandom(join(folder, "random"));
}

/** How fast the networks' two ways are, in turn: the median of three rounds. */
export async function speedOfNetworks(recording: Recording, folder: string, networks: NetworkFolders): Promise<void> {
  const pcmPath = join(folder, "two-minutes.pcm");
  writeFileSync(pcmPath, readFileSync(recording.pcmPath).subarray(0, SECONDS * 32_000));
  const seconds = Math.min(SECONDS, readFileSync(pcmPath).length / 32_000);
  const paces = { exact: [] as number[], fast: [] as number[] };
  let peakBytes = 0;
  for (const speed of Array.from({ length: ROUNDS }, () => ["exact", "fast"] as const).flat()) {
    const request = { pcmPath, ...networks, speed, executionProviders: ["cpu"], intraOpThreads: 2 };
    let begun = 0;
    await diarize(request, {
      signal: AbortSignal.timeout(3_600_000),
      // From the end of the first window on: opening the networks is once a recording, of whatever length.
      onProgress: (share) => {
        if (begun === 0 && share > 0) begun = performance.now();
      },
      onPeakMemory: (bytes) => {
        peakBytes = Math.max(peakBytes, bytes);
      },
    });
    // What is long has a window a step; two minutes have fewer, for the last reaches the end.
    const windowsAfterFirst = Math.ceil((seconds - 10) / STEP_SECONDS[speed]);
    paces[speed].push((windowsAfterFirst * STEP_SECONDS[speed]) / ((performance.now() - begun) / 1000));
  }
  console.log(
    `\n${givenNetworks() ? "the given networks" : "the published networks' shapes, random weights"}, 2 threads\n`,
  );
  const rows = (["exact", "fast"] as const).map((speed) => {
    const pace = median(paces[speed]);
    return [speed, `${pace.toFixed(1)} ×`, `${TARGETS[speed]} ×`, pace >= TARGETS[speed] ? "met" : "MISSED"];
  });
  printTable(["how", "real time", "target", ""], rows);
  console.log(`\npeak memory ${(peakBytes / 2 ** 20).toFixed(0)} MiB`);
}

function writeRandom(folder: string): NetworkFolders {
  const folders = { segmentationModel: join(folder, "segmentation"), embeddingModel: join(folder, "embedding") };
  for (const path of Object.values(folders)) mkdirSync(path, { recursive: true });
  let seed = 3;
  // Park and Miller's generator: the same weights every time.
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  writeFileSync(join(folders.segmentationModel, "model.onnx"), segmentationOfPublishedShape(random));
  writeFileSync(join(folders.embeddingModel, "model.onnx"), embeddingOfPublishedShape(random));
  return folders;
}
