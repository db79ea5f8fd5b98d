import type { EngineRequest } from "@scribe/domain";
import type { TranscriptParams } from "assemblyai";

/** Models that its older parameter names; all others are named in a list. */
const SINGLE = new Set(["best", "nano", "slam-1", "universal"]);

/** Models that take words to expect as a prompt. */
const PROMPTED = /^(slam|universal-3)/;

/** What is asked of AssemblyAI for a job. */
export function transcriptParams({ model, options }: EngineRequest, audioUrl: string): TranscriptParams {
  const { language, hotwords, diarize, num_speakers, min_speakers, max_speakers } = options;
  const words = hotwords?.length
    ? PROMPTED.test(model)
      ? { keyterms_prompt: hotwords }
      : { word_boost: hotwords }
    : {};
  return {
    audio_url: audioUrl,
    ...(SINGLE.has(model) ? { speech_model: model as "best" } : { speech_models: [model] }),
    ...(language === undefined || language === "auto" ? { language_detection: true } : { language_code: language }),
    ...words,
    ...(diarize ? { speaker_labels: true } : {}),
    ...(diarize && num_speakers !== undefined ? { speakers_expected: num_speakers } : {}),
    ...(diarize && (min_speakers !== undefined || max_speakers !== undefined)
      ? {
          speaker_options: {
            ...(min_speakers === undefined ? {} : { min_speakers_expected: min_speakers }),
            ...(max_speakers === undefined ? {} : { max_speakers_expected: max_speakers }),
          },
        }
      : {}),
  };
}
