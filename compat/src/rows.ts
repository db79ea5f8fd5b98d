import { assemblyaiRows } from "./clients/assemblyai.ts";
import { deepgramRows } from "./clients/deepgram.ts";
import { openaiRows } from "./clients/openai.ts";
import { runpodRows } from "./clients/runpod.ts";
import type { Row } from "./row.ts";

export const ROWS: readonly Row[] = [...openaiRows, ...deepgramRows, ...assemblyaiRows, ...runpodRows];
