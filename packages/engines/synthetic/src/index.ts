export { readScript, type SyntheticScript, secondsWithoutAudio } from "./script.ts";
export { createSyntheticEngine } from "./synthetic-engine.ts";
