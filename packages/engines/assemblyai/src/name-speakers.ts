import type { DiarizationTurn, EngineSpeakers } from "@scribe/domain";
import type { GivenTranscript } from "./transcript.ts";
import { type Part, toSeconds } from "./write-segments.ts";

/** Its speakers A, B, … as SPEAKER_00, SPEAKER_01, … in the order in which they are first heard. */
export function nameSpeakers(given: GivenTranscript, part: Part): EngineSpeakers {
  const names = new Map<string, string>();
  const nameOf = (label: string) => {
    const known = names.get(label) ?? `SPEAKER_${String(names.size).padStart(2, "0")}`;
    names.set(label, known);
    return known;
  };
  const exclusiveTurns: DiarizationTurn[] = [];
  for (const word of given.words ?? []) {
    if (word.speaker === null || word.speaker === undefined) continue;
    const speaker = nameOf(word.speaker);
    const { start, end } = toSeconds(word, part);
    const last = exclusiveTurns.at(-1);
    if (last?.speaker === speaker) last.end = Math.max(last.end, end);
    else exclusiveTurns.push({ start, end, speaker });
  }
  const turns = (given.utterances ?? []).map((turn) => ({
    ...toSeconds(turn, part),
    speaker: nameOf(turn.speaker),
  }));
  return {
    method: "assemblyai",
    speakers: [...names.values()],
    turns: turns.length > 0 ? turns : exclusiveTurns,
    exclusiveTurns,
  };
}
