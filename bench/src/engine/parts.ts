/** The parts of `engine`: each runs in a process of its own, so that one does not slow, or end, another. */
export const PARTS = {
  tiny: "encoder and steps at the sizes of tiny",
  base: "encoder and steps at the sizes of base",
  small: "encoder and steps at the sizes of small",
  recording: "a long recording, from samples to text",
  features: "log-mel features",
  ragged: "windows of many lengths in one batch",
  compile: "the shapes of large-v3-turbo into graphs",
  int8: "8 bit next to 32: word errors and tokens",
} as const;

export type PartName = keyof typeof PARTS;

export interface PartOptions {
  minutes: number;
  rounds: number;
}

/** Parts are loaded when they are run: each needs other engines. */
export async function runPart(name: PartName, { minutes, rounds }: PartOptions): Promise<void> {
  switch (name) {
    case "tiny":
    case "base":
    case "small":
      return (await import("./compare-shapes.ts")).compareShapes(name, rounds);
    case "recording":
      return (await import("./compare-recordings.ts")).compareRecordings(minutes, rounds);
    case "features":
      return (await import("./compare-features.ts")).compareFeatures(rounds);
    case "ragged":
      return (await import("./measure-ragged.ts")).measureRagged();
    case "compile":
      return (await import("./compile-turbo.ts")).compileTurbo();
    case "int8":
      return (await import("./compare-precisions.ts")).comparePrecisions();
    default:
      throw new Error(`There is no part ${name satisfies never}.`);
  }
}
