import { cleanTranscript } from "@scribe/domain";
import { z } from "zod";

const said = z.string().transform(cleanTranscript);

const timed = { start: z.number(), end: z.number() };

/** What is read of AssemblyAI's transcript; times are milliseconds. */
export const transcriptSchema = z.object({
  id: z.string().regex(/^[\w-]{1,128}$/),
  status: z.enum(["queued", "processing", "completed", "error"]),
  text: z.string().nullish(),
  error: z.string().nullish(),
  language_code: z.string().nullish(),
  language_confidence: z.number().nullish(),
  words: z
    .array(z.object({ text: said, ...timed, confidence: z.number().min(0).max(1), speaker: z.string().nullish() }))
    .nullish(),
  utterances: z.array(z.object({ speaker: z.string(), ...timed })).nullish(),
});

export type GivenTranscript = z.output<typeof transcriptSchema>;
export type GivenWord = NonNullable<GivenTranscript["words"]>[number];
