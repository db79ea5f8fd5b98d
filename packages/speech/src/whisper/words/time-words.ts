import type { ModelFolder } from "../../model/read-model-folder.ts";
import type { SpeechSegment } from "../../speech-events.ts";
import { attachWords, DISAGREEMENT_SECONDS } from "./attach-words.ts";
import { type Align, findAlignment, type WordTiming } from "./find-alignment.ts";
import { limitDurations, wordLengths } from "./limit-durations.ts";
import { mergePunctuation } from "./merge-punctuation.ts";
import { splitWords, type WordTokens } from "./split-words.ts";
import { spreadWords } from "./spread-words.ts";

export type WordTask = {
  segments: readonly SpeechSegment[];
  /** What stands before the text, e.g. `<|startoftranscript|>` with language and task. */
  startTokens: readonly number[];
  language: string;
  /** Where the window starts in the file, in seconds. */
  startSeconds: number;
  contentFrames: number;
  /** Where the last word before this window ended, in seconds. */
  lastSpeech: number;
};

/**
 * Times the words of a window's segments, which may move the segments' own ends a little; see `attachWords`. A word is
 * sought about its own segment: text that was never said would else draw the words around it away from theirs. Without
 * `align` words are spread over their segments by their lengths.
 */
export async function timeWords(
  model: ModelFolder,
  align: Align | undefined,
  task: WordTask,
): Promise<{ segments: SpeechSegment[]; lastSpeech: number }> {
  const { segments, startSeconds, lastSpeech, language } = task;
  const wordsOf = segments.map(({ tokens }) => {
    const text = tokens.filter((token) => token < model.special.endOfText);
    return splitWords(model.tokenizer, text, language);
  });
  if (!align) {
    const spread = segments.map((segment, i) => mergePunctuation(spreadOver(segment, wordsOf[i])));
    return attachWords(segments, spread, { median: 0, maximum: Number.POSITIVE_INFINITY }, lastSpeech);
  }
  const words = wordsOf.flat();
  const bounds = segments.flatMap((segment, i) => wordsOf[i].map(() => boundsOf(segment, i, segments, startSeconds)));
  const alignment = await findAlignment(model, align, { ...task, words, bounds });
  const lengths = wordLengths(alignment);
  const limited = limitDurations(alignment, lengths).map((word) => ({
    ...word,
    start: word.start + startSeconds,
    end: word.end + startSeconds,
  }));
  let from = 0;
  const timed = wordsOf.map((own) => {
    from += own.length;
    return mergePunctuation(limited.slice(from - own.length, from));
  });
  return attachWords(segments, timed, lengths, lastSpeech);
}

/** Where in the window the words of a segment may be: about its own times, and in the pause before the next one. */
function boundsOf({ start, end }: SpeechSegment, i: number, segments: readonly SpeechSegment[], startSeconds: number) {
  const nextStart = segments.at(i + 1)?.start ?? Number.POSITIVE_INFINITY;
  return {
    start: i === 0 ? 0 : start - startSeconds - DISAGREEMENT_SECONDS,
    end: Math.max(end + DISAGREEMENT_SECONDS, nextStart) - startSeconds,
  };
}

function spreadOver({ start, end, avg_logprob }: SpeechSegment, words: readonly WordTokens[]): WordTiming[] {
  const probability = Math.exp(avg_logprob);
  return spreadWords(
    words.map((word) => ({ ...word, start, end, probability })),
    start,
    end,
  );
}
