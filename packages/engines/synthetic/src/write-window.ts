import { type EngineSegment, roundSeconds, type Word } from "@scribe/domain";
import type { SyntheticScript } from "./script.ts";

/** The segments of window `index` (from 0): a function of the script alone, so that every attempt says the same. */
export function writeWindow(
  script: SyntheticScript,
  index: number,
  endSeconds: number,
  words: boolean,
): EngineSegment[] {
  const text = script.text.replaceAll("{n}", String(index + 1)).trim();
  if (text === "") return [];
  const start = index * script.window_seconds;
  const end = Math.max(start, Math.min(start + script.window_seconds, endSeconds));
  return [
    {
      start: roundSeconds(start),
      end: roundSeconds(end),
      text,
      avg_logprob: -0.1,
      no_speech_prob: 0.01,
      compression_ratio: 1,
      temperature: 0,
      ...(words ? { words: spreadWords(text, start, end) } : {}),
    },
  ];
}

function spreadWords(text: string, start: number, end: number): Word[] {
  const words = text.split(/\s+/);
  const each = (end - start) / words.length;
  return words.map((word, i) => ({
    word,
    start: roundSeconds(start + i * each),
    end: roundSeconds(start + (i + 1) * each),
    probability: 1,
  }));
}
