import { assignSpeakers, type Segment } from "@scribe/domain";
import { assignLargest } from "./assign-largest.ts";
import type { Recording } from "./recordings.ts";
import type { Turn } from "./score-diarization.ts";

/**
 * What wrong speakers cost the words, all of which are right: cpWER less WER. The words of the reference, spread evenly
 * over their utterance, are given to speakers as a transcript's would be; then each speaker's text is compared with the
 * best-fitting speaker's of the reference (Watanabe 2020, CHiME-6).
 */
export function costOfSpeakers({ utterances }: Recording, exclusive: readonly Turn[]): number {
  const segments = utterances.map((utterance, id) => toSegment(utterance, id));
  const said = wordsBySpeaker(utterances.map(({ speaker, words }) => ({ speaker, words })));
  const found = wordsBySpeaker(
    assignSpeakers(segments, [...exclusive]).map(({ speaker = "", words = [] }) => ({
      speaker,
      words: words.map(({ word }) => word.trim()),
    })),
  );
  const total = said.reduce((sum, words) => sum + words.length, 0);
  // Who has no counterpart is missed, or inserted, as a whole.
  const size = Math.max(said.length, found.length);
  const errors = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => editDistance(said[i] ?? [], found[j] ?? [])),
  );
  const chosen = assignLargest(errors.map((row) => row.map((count) => total * 2 - count)));
  return chosen.reduce((sum, j, i) => sum + errors[i]![j]!, 0) / total;
}

function toSegment({ start, end, words }: Recording["utterances"][number], id: number): Segment {
  const each = (end - start) / words.length;
  return {
    ...{ id, start, end, text: words.map((word) => ` ${word}`).join("") },
    ...{ avg_logprob: 0, no_speech_prob: 0, compression_ratio: 1, temperature: 0 },
    words: words.map((word, i) => ({
      word: ` ${word}`,
      start: start + i * each,
      end: start + (i + 1) * each,
      probability: 1,
    })),
  };
}

function wordsBySpeaker(spoken: readonly { speaker: string; words: readonly string[] }[]): string[][] {
  const bySpeaker = new Map<string, string[]>();
  for (const { speaker, words } of spoken) bySpeaker.set(speaker, [...(bySpeaker.get(speaker) ?? []), ...words]);
  return [...bySpeaker.values()];
}

function editDistance(a: readonly string[], b: readonly string[]): number {
  let row = Uint32Array.from({ length: b.length + 1 }, (_, j) => j);
  a.forEach((word, i) => {
    const next = new Uint32Array(b.length + 1);
    next[0] = i + 1;
    b.forEach((other, j) => {
      next[j + 1] = Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (word === other ? 0 : 1));
    });
    row = next;
  });
  return row[b.length]!;
}
