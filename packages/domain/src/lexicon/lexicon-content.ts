import { z } from "zod";
import { safeText } from "../input-text.ts";

/** A rule looks at most at so many words. */
const MOST_WORDS = 12;
const MOST_RULES = 5000;
const MOST_HOTWORDS = 256;

/** Rules whose first word has a wildcard are tried at every word, so there are few of them. */
const MOST_OPEN_RULES = 200;

export const LEXICON_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const find = safeText(200)
  .trim()
  .refine((text) => text.split(/\s+/).length <= MOST_WORDS, `must be at most ${MOST_WORDS} words`)
  .refine((text) => text.split(/\s+/).every(saysSomething), "must have a letter or a digit in each word")
  .refine((text) => text.split(/\s+/).every((word) => word.split("*").length <= 3), "may have two `*` in a word");

const replace = safeText(200)
  .trim()
  .min(1)
  .refine((text) => !/\p{Cc}/u.test(text), "must be one line of text");

export const lexiconContent = z
  .strictObject({
    rules: z
      .array(
        z.strictObject({
          find: find.meta({ description: "Words, whole, in any case; `*` in a word stands for any letters" }),
          replace: replace.meta({ description: "What is written instead" }),
        }),
      )
      .max(MOST_RULES)
      .default([]),
    hotwords: z
      .array(safeText(128).trim().min(1))
      .max(MOST_HOTWORDS)
      .default([])
      .meta({ description: "What the decoder should expect to hear" }),
  })
  .superRefine(({ rules }, context) => {
    const open = rules.filter(({ find: words }) => words.split(/\s+/)[0]!.includes("*")).length;
    if (open <= MOST_OPEN_RULES) return;
    const message = `must have at most ${MOST_OPEN_RULES} rules whose first word has a \`*\``;
    context.addIssue({ code: "custom", path: ["rules"], message });
  });

export type LexiconContent = z.output<typeof lexiconContent>;

function saysSomething(word: string): boolean {
  return /[\p{L}\p{N}]/u.test(word);
}
