import type { EnhancementOptions, EnhancementTask } from "@scribe/domain";
import { type Asked, ask, instructionsOf } from "./ask.ts";
import type { ChatEndpoint } from "./chat-endpoint.ts";
import { type Budget, groupByTokens, shareContext } from "./context-budget.ts";
import { indexQuotes } from "./find-quote.ts";
import type { OutputForm } from "./output-form.ts";
import type { Source, SourceLine } from "./source.ts";
import { type CollectTask, type FoldTask, notesForm, type Part, taskOf } from "./tasks.ts";

/** Where finished steps outlive an attempt. */
export interface KeptSteps {
  /** What an earlier attempt left of a step. */
  get(step: string): unknown;
  keep(step: string, given: Asked<unknown> & { progress: number }): Promise<void>;
}

export interface EnhanceOptions {
  source: Source;
  tasks: readonly EnhancementTask[];
  options: EnhancementOptions;
  chat: ChatEndpoint;
  /** What the model reads and writes together, in tokens. */
  contextTokens: number;
  steps: KeptSteps;
  signal: AbortSignal;
  /** Before each question. */
  onAsk?: (() => void) | undefined;
}

export interface Enhanced {
  outputs: Record<string, unknown>;
  warnings: string[];
}

/** A mark of the length of every mark, for measuring. */
const SOME_MARK = "0".repeat(32);
/** Notes take a quarter of a request's room, so that each round of folding leaves at most half as many. */
const NOTES_SHARE = 1 / 4;

/**
 * Carries out all tasks on one source. What does not fit into the model's context is read part by part; each finished
 * question is kept, and asked no second time.
 *
 * @throws EnhancementError; the signal's reason
 */
export async function enhance(given: EnhanceOptions): Promise<Enhanced> {
  const { source, options, tasks } = given;
  const warnings: string[] = [];
  const finding = {
    source,
    options,
    findQuote: indexQuotes(source.lines),
    warn: (text: string) => warnings.push(text),
  };
  const asking = openAsking(given);
  const plans = tasks.map((name) => {
    const task = taskOf(name, options);
    return task.kind === "collect" ? planCollect(name, task, given) : planFold(name, task, given);
  });
  asking.expect(new Set(plans.flatMap(({ steps }) => steps)).size);
  const outputs: Record<string, unknown> = {};
  for (const [index, name] of tasks.entries()) {
    const plan = plans[index];
    if (plan === undefined) continue;
    const { value, warning } = await plan.run(asking, finding);
    outputs[name] = value;
    if (warning !== undefined) warnings.push(warning);
  }
  return { outputs, warnings: summarize(warnings) };
}

interface Plan {
  /** As far as they are known beforehand. */
  steps: string[];
  run(
    asking: Asking,
    finding: Parameters<CollectTask<unknown>["finish"]>[1],
  ): Promise<{ value: unknown; warning?: string }>;
}

function planCollect(name: EnhancementTask, task: CollectTask<never>, { source, contextTokens }: EnhanceOptions): Plan {
  const { instructions, likeInput = false } = task;
  const fixed = instructionsOf({ task: name, instructions, form: task.form({ from: 0, to: 0 }) }, SOME_MARK);
  const budget = shareContext(contextTokens, fixed, likeInput);
  const parts = cutSource(source, budget);
  // By its lines: another context cuts elsewhere, and what was kept of it then holds no more.
  const stepOf = ({ from, to }: Part) => `${name}/${from}-${to}`;
  return {
    steps: parts.map(stepOf),
    async run(asking, finding) {
      const found: never[] = [];
      for (const part of parts) {
        const question = { task: name, instructions, data: showLines(source, part), form: task.form(part), budget };
        found.push(await asking.once(stepOf(part), question));
      }
      return { value: task.finish(found, finding) };
    },
  };
}

function planFold(name: EnhancementTask, task: FoldTask<never>, { source, contextTokens }: EnhanceOptions): Plan {
  const { instructions, form } = task;
  const budget = shareContext(contextTokens, instructionsOf({ task: name, instructions, form }, SOME_MARK), false);
  const whole = { from: 0, to: source.lines.length };
  const fits = cutSource(source, budget).length <= 1;
  const notes = notesPlan(name, task);
  const notesFixed = instructionsOf({ ...notes, form: notesForm }, SOME_MARK);
  const notesBudget = fits ? budget : shareContext(contextTokens, notesFixed, false);
  const parts = fits ? [] : cutSource(source, notesBudget);
  const stepOf = ({ from, to }: Part) => `${notes.task}/${from}-${to}`;
  return {
    steps: [...parts.map(stepOf), name],
    async run(asking) {
      let data = showLines(source, whole);
      if (!fits) {
        const maxChars = Math.floor(Math.min(notesBudget.inputTokens, budget.inputTokens) * NOTES_SHARE * 3);
        const note = async (step: string, text: string) => {
          const question = { ...notes, data: text, form: notesForm, budget: notesBudget };
          return cutBytes((await asking.once(step, question)).notes, maxChars);
        };
        let all: string[] = [];
        for (const part of parts) all.push(await note(stepOf(part), showLines(source, part)));
        for (let round = 1; groupByTokens(all, (text) => text, budget.inputTokens).length > 1; round++) {
          const groups = groupByTokens(all, (text) => text, notesBudget.inputTokens);
          asking.expect(groups.length);
          all = [];
          for (const [index, group] of groups.entries()) {
            const step = `${notes.task}/${parts.length} parts/round ${round}/${index}`;
            all.push(await note(step, group.join("\n")));
          }
        }
        data = all.join("\n");
      }
      return { value: task.finish(await asking.once(name, { task: name, instructions, data, form, budget })) };
    },
  };
}

/** Tasks of ours share their notes; a caller's own request needs notes of its own. */
function notesPlan(name: EnhancementTask, { notesFor }: FoldTask<never>) {
  const wanted = name === "custom" ? notesFor : "a summary, a title, and judging the speakers' sentiment";
  return {
    task: name === "custom" ? "custom_notes" : "notes",
    instructions: `This is one part of a longer recording. Write short notes of it, in its language, with all that matters for ${wanted}`,
  };
}

interface Asking {
  /** So many more questions are known of. */
  expect(count: number): void;
  once<T>(step: string, question: Wanted<T>): Promise<T>;
}

interface Wanted<T> {
  task: string;
  instructions: string;
  data: string;
  form: OutputForm<T>;
  budget: Budget;
}

/** Asks each question once over all attempts, and says how far it is. */
function openAsking({ chat, steps, signal, onAsk }: EnhanceOptions): Asking {
  const done = new Set<string>();
  let expected = 0;
  return {
    expect(count) {
      expected += count;
    },
    async once<T>(step: string, { budget, ...question }: Wanted<T>): Promise<T> {
      const kept = steps.get(step);
      if (kept === undefined && !done.has(step)) {
        signal.throwIfAborted();
        onAsk?.();
        const asked = await ask(chat, { ...question, maxOutputTokens: budget.outputTokens }, signal);
        done.add(step);
        // The end is the commit's to say.
        const progress = Math.min(99, Math.floor((done.size / Math.max(expected, done.size)) * 99));
        await steps.keep(step, { ...asked, progress });
        return asked.value;
      }
      done.add(step);
      return steps.get(step) as T;
    },
  };
}

function cutSource({ lines }: Source, { inputTokens }: Budget): Part[] {
  let at = 0;
  return groupByTokens(lines, showLine, inputTokens).map((group) => {
    const from = at;
    at += group.length;
    return { from, to: at };
  });
}

function showLines({ lines }: Source, { from, to }: Part): string {
  return lines
    .slice(from, to)
    .map((line, index) => showLine(line, from + index))
    .join("\n");
}

function showLine({ text, start, speaker }: SourceLine, number: number): string {
  const time = start === null ? "" : ` [${start.toFixed(1)}s]`;
  const who = speaker === undefined ? "" : ` ${speaker}:`;
  return `${number}${time}${who} ${text.replaceAll(/\s+/g, " ")}`;
}

/** At most so many bytes of UTF-8, cut between characters. */
function cutBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  return bytes.length <= maxBytes
    ? text
    : new TextDecoder().decode(bytes.subarray(0, maxBytes)).replace(/\u{fffd}+$/u, "");
}

/** The same warning many times over is told once, with its count. */
function summarize(warnings: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const warning of warnings) counts.set(warning, (counts.get(warning) ?? 0) + 1);
  return [...counts].map(([text, count]) => (count === 1 ? text : `${text} (${count} times)`));
}
