import { assemblyaiRows } from "./clients/assemblyai.ts";
import { deepgramRows } from "./clients/deepgram.ts";
import { olderFormatRows } from "./clients/older-formats.ts";
import { openaiRows } from "./clients/openai.ts";
import { runpodRows } from "./clients/runpod.ts";
import { tusRows } from "./clients/tus.ts";
import type { Row } from "./row.ts";

export const ROWS: readonly Row[] = [
  ...[...openaiRows, ...deepgramRows, ...assemblyaiRows, ...runpodRows],
  ...[...tusRows, ...olderFormatRows],
];
