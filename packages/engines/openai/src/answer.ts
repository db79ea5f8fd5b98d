import { cleanTranscript } from "@scribe/domain";
import { z } from "zod";

const said = z.string().transform(cleanTranscript);

/** What is read of the three forms of an answer; servers differ in what they leave out. */
export const answerSchema = z.object({
  text: said,
  language: z.string().nullish(),
  duration: z.number().nullish(),
  segments: z
    .array(
      z.object({
        start: z.number(),
        end: z.number(),
        text: said,
        avg_logprob: z.number().nullish(),
        no_speech_prob: z.number().nullish(),
        compression_ratio: z.number().nullish(),
        temperature: z.number().nullish(),
        tokens: z.array(z.number()).nullish(),
      }),
    )
    .nullish(),
  words: z
    .array(
      z.object({
        word: said,
        start: z.number(),
        end: z.number(),
        probability: z.number().min(0).max(1).nullish(),
      }),
    )
    .nullish(),
  logprobs: z.array(z.object({ token: z.string().nullish(), logprob: z.number().nullish() })).nullish(),
});

export type Answer = z.output<typeof answerSchema>;

/** Which form a model knows: with times of segments and words, of segments alone, or text without any. */
export type AnswerForm = "verbose_json" | "diarized_json" | "json";

export function formOf(model: string): AnswerForm {
  if (/transcribe-diarize/.test(model)) return "diarized_json";
  return /^gpt-(.+-)?transcribe/.test(model) ? "json" : "verbose_json";
}
