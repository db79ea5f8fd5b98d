import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { diarize } from "@scribe/speech";
import { printTable } from "../print-table.ts";
import { embeddingOfPublishedShape, segmentationOfPublishedShape } from "./published-shapes.ts";
import type { Recording } from "./recordings.ts";

/** Folders of two networks. */
export type NetworkFolders = { segmentationModel: string; embeddingModel: string };

/** Times real time, on two cores. */
const TARGETS = { exact: 4, fast: 20 } as const;
/** Between windows of 10 s. */
const STEP_SECONDS = { exact: 1, fast: 2.5 } as const;
const SECONDS = 120;

/**
 * How fast the networks' two ways are: the given networks (DIARIZATION_SEGMENTATION_MODEL, DIARIZATION_EMBEDDING_MODEL),
 * else the published shapes with random weights, which hear two speakers all the time.
 *
 * @returns the folders of those that were measured
 */
export async function speedOfNetworks(recording: Recording, folder: string): Promise<NetworkFolders> {
  const { DIARIZATION_SEGMENTATION_MODEL: given, DIARIZATION_EMBEDDING_MODEL: embedding } = process.env;
  const folders =
    given && embedding ? { segmentationModel: given, embeddingModel: embedding } : writeRandom(join(folder, "random"));
  const pcmPath = join(folder, "two-minutes.pcm");
  writeFileSync(pcmPath, readFileSync(recording.pcmPath).subarray(0, SECONDS * 32_000));
  const seconds = Math.min(SECONDS, readFileSync(pcmPath).length / 32_000);
  const rows: (string | number)[][] = [];
  for (const speed of ["exact", "fast"] as const) {
    const request = { pcmPath, ...folders, speed, executionProviders: ["cpu"], intraOpThreads: 2 };
    let begun = 0;
    let peakBytes = 0;
    await diarize(request, {
      signal: AbortSignal.timeout(3_600_000),
      // From the end of the first window on: opening the networks is once a recording, of whatever length.
      onProgress: (share) => {
        if (begun === 0 && share > 0) begun = performance.now();
      },
      onPeakMemory: (bytes) => (peakBytes = bytes),
    });
    // What is long has a window a step; two minutes have fewer, for the last reaches the end.
    const windowsAfterFirst = Math.ceil((seconds - 10) / STEP_SECONDS[speed]);
    const pace = (windowsAfterFirst * STEP_SECONDS[speed]) / ((performance.now() - begun) / 1000);
    const target = `${TARGETS[speed]} ×`;
    const held = pace >= TARGETS[speed] ? "yes" : "no";
    rows.push([speed, `${pace.toFixed(1)} ×`, target, held, `${(peakBytes / 2 ** 20).toFixed(0)} MiB`]);
  }
  console.log(`\n${given ? "the given networks" : "the published networks' shapes, random weights"}, 2 threads\n`);
  printTable(["how", "real time", "target", "held", "peak memory"], rows);
  return folders;
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
