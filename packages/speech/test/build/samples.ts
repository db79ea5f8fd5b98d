import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** "There are seven people in the park. … Where is the coffee?", 4 s of speech that the bundled model understands. */
export const PARK = join(import.meta.dirname, "../fixtures/park-and-coffee.pcm");
/** The bundled model. */
export const NANO = join(import.meta.dirname, "../../../../models/whisper-nano.en");

const SECOND = 2 * 16000;

/** Writes a file of speech with pauses, at least this long. */
export async function writeSpeech(path: string, seconds: number): Promise<void> {
  const once = Buffer.concat([readFileSync(PARK), Buffer.alloc(1.5 * SECOND)]);
  await writeFile(path, Buffer.concat(Array(Math.ceil((seconds * SECOND) / once.length)).fill(once)));
}
