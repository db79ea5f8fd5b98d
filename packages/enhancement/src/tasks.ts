import type { EnhancementOptions, EnhancementTask } from "@scribe/domain";
import { z } from "zod";
import type { FindQuote, Quote } from "./find-quote.ts";
import { formOf, formOfCaller, type OutputForm } from "./output-form.ts";
import type { Source } from "./source.ts";

/** A part of the source: its lines' numbers, from and to (exclusive). */
export interface Part {
  from: number;
  to: number;
}

export interface Finding {
  source: Source;
  findQuote: FindQuote;
  options: EnhancementOptions;
  warn(message: string): void;
}

/** Each part by itself, and the findings put side by side: what is found in a part does not depend on the others. */
export interface CollectTask<T> {
  kind: "collect";
  instructions: string;
  /** The answer is about as long as what is read. */
  likeInput?: boolean;
  form(part: Part): OutputForm<T>;
  finish(found: readonly T[], finding: Finding): unknown;
}

/** The whole at once, or, where it is too long, from notes of its parts. */
export interface FoldTask<T> {
  kind: "fold";
  instructions: string;
  /** What notes of a part must not leave out. */
  notesFor: string;
  form: OutputForm<T>;
  finish(value: T): unknown;
}

export type Task = CollectTask<never> | FoldTask<never>;

const collect = <T>(task: Omit<CollectTask<T>, "kind">): Task => ({ kind: "collect", ...task }) as Task;
const fold = <T>(task: Omit<FoldTask<T>, "kind">): Task => ({ kind: "fold", ...task }) as Task;

const LINES = "Each line begins with its number.";
const QUOTING = `${LINES} \`quote\` repeats, word for word, a few words in which it was said, and \`line\` is the number of their line.`;
const quoted = { quote: z.string().max(500), line: z.int().min(0).nullable() };

const MAX_ITEMS = 100;
const MAX_KEYWORDS = 20;

/** What a task asks, how its answers look, and what becomes of them. */
export function taskOf(name: EnhancementTask, options: EnhancementOptions): Task {
  switch (name) {
    case "summary":
      return fold({
        instructions: "Summarize what was said, in its language, in a few sentences that stand by themselves.",
        notesFor: "a summary",
        form: formOf(z.object({ summary: z.string().min(1).max(8000) })),
        finish: ({ summary }) => summary,
      });
    case "title":
      return fold({
        instructions: "Give the recording a title of at most ten words, in its language.",
        notesFor: "a title",
        form: formOf(z.object({ title: z.string().min(1).max(200) })),
        finish: ({ title }) => title,
      });
    case "sentiment":
      return fold({
        instructions:
          "Tell the sentiment of the recording as a whole: its label, a score from -1 to 1, and why, in one sentence.",
        notesFor: "judging the speakers' sentiment",
        form: formOf(
          z.object({
            label: z.enum(["positive", "neutral", "negative", "mixed"]),
            score: z.number().min(-1).max(1),
            reason: z.string().max(1000),
          }),
        ),
        finish: (value) => value,
      });
    case "custom":
      return custom(options);
    case "keywords":
      return collect({
        instructions: `List the most telling words and names of the recording, at most ${MAX_KEYWORDS}, the most telling first.`,
        form: () => formOf(z.object({ keywords: z.array(z.string().min(1).max(100)).max(MAX_KEYWORDS) })),
        finish: (found) => mostNamed(found.flatMap(({ keywords }) => keywords)),
      });
    case "action_items":
      return collect({
        instructions: `List what somebody is to do after this recording: \`text\` says what, \`owner\` who and \`due\` by when, where that was said. ${QUOTING}`,
        form: () =>
          formOf(
            z.object({
              items: z
                .array(
                  z.object({
                    text: z.string().min(1).max(1000),
                    owner: z.string().max(200).nullable(),
                    due: z.string().max(200).nullable(),
                    ...quoted,
                  }),
                )
                .max(MAX_ITEMS),
            }),
          ),
        finish: (found, finding) =>
          found.flatMap(({ items }) => items).map((item) => withQuote("action_items", item, finding)),
      });
    case "entities":
      return collect({
        instructions: `List the people, organizations, places, dates, products and other things that are named. ${QUOTING}`,
        form: () =>
          formOf(
            z.object({
              entities: z
                .array(
                  z.object({
                    text: z.string().min(1).max(200),
                    type: z.enum(["person", "organization", "place", "date", "product", "other"]),
                    ...quoted,
                  }),
                )
                .max(MAX_ITEMS),
            }),
          ),
        finish: (found, finding) =>
          onlyFirst(found.flatMap(({ entities }) => entities)).map((entity) => withQuote("entities", entity, finding)),
      });
    case "chapters":
      return collect({
        instructions: `Divide the recording into chapters, in order, each with a title and one sentence of summary. ${QUOTING} The quote is what the chapter begins with.`,
        form: () =>
          formOf(
            z.object({
              chapters: z
                .array(z.object({ title: z.string().min(1).max(200), summary: z.string().max(1000), ...quoted }))
                .min(1)
                .max(MAX_ITEMS),
            }),
          ),
        finish: (found, finding) =>
          layOut(
            found.flatMap(({ chapters }) => chapters),
            finding,
          ),
      });
    case "translate":
      return collect({
        instructions: `Translate every line into the language with the tag ${options.target_language}. ${LINES} Give each line's number and its translation, each line once.`,
        likeInput: true,
        form: translationForm,
        finish: translated,
      });
  }
}

function custom({ prompt = "", schema }: EnhancementOptions): Task {
  const instructions = `Do what is asked of the recording:\n${prompt}`;
  const notesFor = `this request:\n${prompt}`;
  if (schema) return fold({ instructions, notesFor, form: formOfCaller(schema), finish: (value) => value });
  const form = formOf(z.object({ answer: z.string().max(32_000) }));
  return fold({ instructions, notesFor, form, finish: ({ answer }) => answer });
}

type Quoted = { quote: string; line: number | null };

/** With its place where it was said; without a quote, and with a warning, where nobody said that. */
function withQuote<T extends Quoted>(task: EnhancementTask, item: T, { findQuote, warn }: Finding) {
  const { quote, line, ...rest } = item;
  const found: Omit<Quote, "line"> | null = findQuote(quote, line);
  if (found === null) warn(`${task}: a quote was dropped that does not occur in the transcript`);
  return { ...rest, quote: found?.quote ?? null, start: found?.start ?? null, end: found?.end ?? null };
}

/** Chapters in the order of their beginnings, each up to the next; one whose beginning was not said is none. */
function layOut(
  chapters: readonly (Quoted & { title: string; summary: string })[],
  { source, findQuote, warn }: Finding,
) {
  const begun = chapters.flatMap(({ quote, line, title, summary }) => {
    const found = findQuote(quote, line);
    if (found !== null) return [{ title, summary, found }];
    warn("chapters: one was dropped whose beginning does not occur in the transcript");
    return [];
  });
  begun.sort((a, b) => a.found.line - b.found.line);
  return begun.map(({ title, summary, found }, index) => {
    const next = begun[index + 1];
    const end = next ? next.found.start : (source.lines.at(-1)?.end ?? found.end);
    return { title, summary, quote: found.quote, start: found.start, end };
  });
}

function onlyFirst<T extends { text: string; type: string }>(entities: readonly T[]): T[] {
  const seen = new Map<string, T>();
  for (const entity of entities) {
    const key = `${entity.type} ${entity.text.toLowerCase()}`;
    if (!seen.has(key)) seen.set(key, entity);
  }
  return [...seen.values()];
}

/** By how many parts name it, then in the order in which they came. */
function mostNamed(words: readonly string[]): string[] {
  const counts = new Map<string, { word: string; count: number }>();
  for (const word of words) {
    const entry = counts.get(word.toLowerCase()) ?? { word, count: 0 };
    counts.set(word.toLowerCase(), { ...entry, count: entry.count + 1 });
  }
  return [...counts.values()]
    .sort((a, b) => b.count - a.count)
    .slice(0, MAX_KEYWORDS)
    .map(({ word }) => word);
}

const translation = z.object({ lines: z.array(z.object({ line: z.int(), text: z.string().max(4000) })) });
type Translation = z.output<typeof translation>;

function translationForm({ from, to }: Part): OutputForm<Translation> {
  return formOf(translation, ({ lines }) => {
    const given = lines.map(({ line }) => line);
    const missing = Array.from({ length: to - from }, (_, index) => from + index).filter((n) => !given.includes(n));
    if (missing.length > 0) return [`lines ${missing.slice(0, 20).join(", ")} are missing`];
    return given.length > to - from ? ["there are lines twice, or lines that were not asked for"] : [];
  });
}

function translated(found: readonly Translation[], { source, options }: Finding) {
  const texts = new Map(found.flatMap(({ lines }) => lines.map(({ line, text }) => [line, text.trim()] as const)));
  const segments = source.lines.map(({ start, end, speaker }, index) => ({
    start,
    end,
    ...(speaker === undefined ? {} : { speaker }),
    text: texts.get(index) ?? "",
  }));
  const text = segments.map((segment) => segment.text).join(" ");
  return { language: options.target_language, text, ...(source.duration === null ? {} : { segments }) };
}

/** Notes of a part, for tasks that need the whole. */
export const notesForm = formOf(z.object({ notes: z.string().min(1) }));
