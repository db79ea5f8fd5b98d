import type { Segment, Transcript } from "../transcript.ts";

/** The same with other names for its speakers; names that are not given stay. */
export function renameSpeakers<T extends Partial<Pick<Transcript, "speakers" | "diarization">>>(
  transcript: T,
  names: ReadonlyMap<string, string>,
): T {
  const { speakers, diarization } = transcript;
  const renamed = (speaker: string) => names.get(speaker) ?? speaker;
  return {
    ...transcript,
    ...(speakers && { speakers: speakers.map(renamed) }),
    ...(diarization && {
      diarization: {
        ...diarization,
        turns: diarization.turns.map((turn) => ({ ...turn, speaker: renamed(turn.speaker) })),
      },
    }),
  };
}

export function renameInSegment(segment: Segment, names: ReadonlyMap<string, string>): Segment {
  const renamed = <T extends { speaker?: string }>(spoken: T): T =>
    spoken.speaker === undefined ? spoken : { ...spoken, speaker: names.get(spoken.speaker) ?? spoken.speaker };
  const { words } = segment;
  return { ...renamed(segment), ...(words && { words: words.map(renamed) }) };
}
