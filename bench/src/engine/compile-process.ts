// Compiles a random model of turbo's shapes: node compile-process.ts FOLDER CACHE PRECISION FORM; says what it took as JSON.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { compileModel, type GraphForm, type Precision } from "@scribe/speech/parts";
import { memoryOf } from "./child-memory.ts";
import { TURBO } from "./shapes.ts";
import { describeRandomModel } from "./write-random-model.ts";

const [folder = "", cacheFolder = "", precision, form] = process.argv.slice(2);
const startedAt = performance.now();
const files = await compileModel(describeRandomModel(folder, TURBO), {
  ...{ modelHash: folder, cacheFolder, precision: precision as Precision, form: form as GraphForm },
  // turbo's own.
  alignmentHeads: [
    [2, 4],
    [2, 11],
    [3, 3],
    [3, 6],
    [3, 11],
    [3, 14],
  ],
});
const seconds = (performance.now() - startedAt) / 1000;
const bytes = readdirSync(files.folder).reduce((sum, name) => sum + statSync(join(files.folder, name)).size, 0);
console.log(JSON.stringify({ seconds, peakMib: memoryOf(process.pid).peak, bytes }));
