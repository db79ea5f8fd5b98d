import { describe, expect, test } from "@jest/globals";
import { mergeChannels, type Segment, speakerOfChannel, turnsOfSegments } from "../src/index.ts";

const figures = { avg_logprob: -0.2, no_speech_prob: 0.01, compression_ratio: 1.2, temperature: 0 };

/** Words of half a second each from `start` on; a number is a pause. */
function segment(channel: number, start: number, ...said: (string | number)[]): Segment {
  const speaker = speakerOfChannel(channel);
  let time = start;
  const words = said.flatMap((text) => {
    time += typeof text === "number" ? text : 0.5;
    return typeof text === "number"
      ? []
      : [{ word: ` ${text}`, start: time - 0.5, end: time, probability: 0.9, speaker }];
  });
  const text = words.map(({ word }) => word).join("");
  return { id: 0, start: words[0]!.start, end: words.at(-1)!.end, text, channel, speaker, words, ...figures };
}
const apart = () => false;
/** Channel 1 holds the leak of channel 0 wherever both have the same. */
const leak = (channel: number, other: number) => channel === 1 && other === 0;
const told = (segments: readonly Segment[]) => segments.map(({ id, channel, text }) => [id, channel, text.trim()]);

describe("channels into one conversation", () => {
  test("by time, with new ids", () => {
    const merged = mergeChannels([segment(0, 0, "hello"), segment(0, 6, "bye"), segment(1, 3, "hi")], apart);
    expect(told(merged)).toEqual([
      [0, 0, "hello"],
      [1, 1, "hi"],
      [2, 0, "bye"],
    ]);
  });

  test("cut where the other speaks in a pause, and only there", () => {
    const long = segment(0, 0, "are", "you", 3, "good", 3, "then");
    const merged = mergeChannels([long, segment(1, 2, "yes")], apart);
    expect(told(merged)).toEqual([
      [0, 0, "are you"],
      [1, 1, "yes"],
      [2, 0, "good then"],
    ]);
    expect(merged[0]).toMatchObject({ start: 0, end: 1, speaker: "SPEAKER_00", avg_logprob: -0.2 });
    expect(merged[2]).toMatchObject({ start: 4, end: 8 });
  });

  test("not cut where both speak at once", () => {
    const merged = mergeChannels([segment(0, 0, "one", "two", "three"), segment(1, 0.4, "yes")], apart);
    expect(told(merged)).toEqual([
      [0, 0, "one two three"],
      [1, 1, "yes"],
    ]);
  });

  test("without what leaks from one into the other, whatever its letters", () => {
    const merged = mergeChannels(
      [segment(0, 0, "Good", "morning."), segment(1, 0.2, "good", "morning", 4, "Hi")],
      leak,
    );
    // The echo's segment goes whole: most of it is echo, and "Hi" would be a mishearing.
    expect(told(merged)).toEqual([[0, 0, "Good morning."]]);
  });

  test("with what else the channel says in the same segment", () => {
    const merged = mergeChannels([segment(0, 0, "okay"), segment(1, 0, "okay", 2, "and", "we", "go")], leak);
    expect(told(merged)).toEqual([
      [0, 0, "okay"],
      [1, 1, "and we go"],
    ]);
  });

  test("with both where two say the same as loud, or the louder one later", () => {
    const both = [segment(0, 0, "bye"), segment(1, 0.1, "bye")];
    expect(mergeChannels(both, apart)).toHaveLength(2);
    expect(mergeChannels([segment(0, 2, "bye"), segment(1, 0, "bye")], leak)).toHaveLength(2);
  });

  test("segments without words are compared whole", () => {
    const bare = ({ words: _, ...rest }: Segment): Segment => rest;
    const merged = mergeChannels(
      [bare(segment(0, 0, "good", "morning")), bare(segment(1, 0.2, "Good", "morning!")), bare(segment(1, 5, "hi"))],
      leak,
    );
    expect(told(merged)).toEqual([
      [0, 0, "good morning"],
      [1, 1, "hi"],
    ]);
  });

  test("nothing is nothing", () => {
    expect([mergeChannels([], apart), turnsOfSegments([])]).toEqual([[], []]);
  });
});

test("turns are what was heard, short pauses closed, overlaps kept", () => {
  const segments = [segment(0, 0, "a", 0.5, "b", 2, "c"), segment(1, 1.2, "x")];
  expect(turnsOfSegments(segments)).toEqual([
    { start: 0, end: 1.5, speaker: "SPEAKER_00" },
    { start: 1.2, end: 1.7, speaker: "SPEAKER_01" },
    { start: 3.5, end: 4, speaker: "SPEAKER_00" },
  ]);
});
