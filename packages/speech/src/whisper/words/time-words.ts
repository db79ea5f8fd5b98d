import type { ModelFolder } from "../../model/read-model-folder.ts";
import type { EncodedAudio, WhisperModel } from "../../sessions/whisper-model.ts";
import type { SpeechSegment } from "../../speech-events.ts";
import { attachWords, DISAGREEMENT_SECONDS } from "./attach-words.ts";
import { type AlignmentTask, findAlignment } from "./find-alignment.ts";
import { limitDurations, wordLengths } from "./limit-durations.ts";
import { mergePunctuation } from "./merge-punctuation.ts";
import { splitWords } from "./split-words.ts";
import { spreadWords } from "./spread-words.ts";

export type WordTask = Omit<AlignmentTask, "textTokens"> & {
  segments: readonly SpeechSegment[];
  /** Where the window starts in the file, in seconds. */
  startSeconds: number;
  /** Where the last word before this window ended, in seconds. */
  lastSpeech: number;
};

/**
 * Times the words of a window's segments, which may move the segments' own ends a little; see `attachWords`. A word is
 * sought about its own segment: text that was never said would else draw the words around it away from theirs.
 */
export async function timeWords(
  model: ModelFolder,
  network: WhisperModel,
  audio: EncodedAudio,
  row: number,
  task: WordTask,
): Promise<{ segments: SpeechSegment[]; lastSpeech: number }> {
  const { segments, startSeconds, lastSpeech, language } = task;
  const isText = (token: number) => token < model.special.endOfText;
  if (!network.canAlign) {
    const words = segments.flatMap(({ start, end, tokens, avg_logprob }) => {
      const untimed = splitWords(model.tokenizer, tokens.filter(isText), language);
      const probability = Math.exp(avg_logprob);
      return spreadWords(
        untimed.map((word) => ({ ...word, start, end, probability })),
        start,
        end,
      );
    });
    return attachWords(
      segments,
      mergePunctuation(words),
      isText,
      { median: 0, maximum: Number.POSITIVE_INFINITY },
      lastSpeech,
    );
  }
  const textTokens = segments.flatMap(({ tokens }) => tokens.filter(isText));
  const bounds = segments.flatMap(({ start, end, tokens }, i) => {
    // The pause before the next segment is still this one's, or else no token could be heard there.
    const latest = Math.max(end + DISAGREEMENT_SECONDS, segments.at(i + 1)?.start ?? Number.POSITIVE_INFINITY);
    const earliest = i === 0 ? 0 : start - startSeconds - DISAGREEMENT_SECONDS;
    return tokens.filter(isText).map(() => ({ start: earliest, end: latest - startSeconds }));
  });
  const alignment = await findAlignment(model, network, audio, row, { ...task, textTokens, bounds });
  const lengths = wordLengths(alignment);
  const words = mergePunctuation(limitDurations(alignment, lengths)).map((word) => ({
    ...word,
    start: word.start + startSeconds,
    end: word.end + startSeconds,
  }));
  return attachWords(segments, words, isText, lengths, lastSpeech);
}
