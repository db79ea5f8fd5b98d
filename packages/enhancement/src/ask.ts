import { EnhancementError } from "@scribe/domain";
import type { ChatEndpoint } from "./chat-endpoint.ts";
import { explainFence, raiseFence } from "./fence.ts";
import type { OutputForm } from "./output-form.ts";
import { readJsonAnswer } from "./read-json-answer.ts";

export interface Question<T> {
  /** The task's name, for the endpoint's log. */
  task: string;
  /** Of ours, and of whoever asks: never of the recording. */
  instructions: string;
  data: string;
  form: OutputForm<T>;
  maxOutputTokens: number;
}

export interface Asked<T> {
  value: T;
  promptTokens: number;
  completionTokens: number;
}

const MAX_TRIES = 3;
/** A report is to be read by a model with little room. */
const MAX_PROBLEMS = 5;

/** The fixed part of a request's messages: what a budget has to leave room for. */
export function instructionsOf(
  { task, instructions, form }: Omit<Question<unknown>, "data" | "maxOutputTokens">,
  mark: string,
) {
  return [
    `Task: ${task}`,
    instructions,
    explainFence(mark),
    "Answer with one JSON object and nothing else. It must hold to this JSON Schema:",
    JSON.stringify(form.json),
  ].join("\n\n");
}

/**
 * Asks until the answer holds to the form, three times at most; what was wrong is told with the next try.
 *
 * @throws EnhancementError `invalid_output`, or what the endpoint throws
 */
export async function ask<T>(chat: ChatEndpoint, question: Question<T>, signal: AbortSignal): Promise<Asked<T>> {
  const used = { promptTokens: 0, completionTokens: 0 };
  let problems: readonly string[] = [];
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const fence = raiseFence();
    const user = [fence.around(question.data)];
    if (problems.length > 0) {
      // What was wrong may quote the answer, and that the recording.
      user.push(
        `Your last answer was refused. What was wrong with it:\n${fence.around(problems.join("\n"))}\nAnswer anew.`,
      );
    }
    const answer = await chat.complete({
      system: instructionsOf(question, fence.mark),
      user,
      schema: { name: question.task, json: question.form.json },
      maxOutputTokens: question.maxOutputTokens,
      signal,
    });
    used.promptTokens += answer.promptTokens;
    used.completionTokens += answer.completionTokens;
    const checked = check(answer.text, answer.cutOff, question.form);
    if ("value" in checked) return { ...checked, ...used };
    problems = checked.problems.slice(0, MAX_PROBLEMS);
  }
  throw new EnhancementError(
    "invalid_output",
    `The model's answers to \`${question.task}\` did not hold to the schema, ${MAX_TRIES} times in a row.`,
  );
}

function check<T>(text: string, cutOff: boolean, form: OutputForm<T>): { value: T } | { problems: readonly string[] } {
  const json = readJsonAnswer(text);
  if (json === undefined && cutOff) return { problems: ["It was cut off for its length; be much shorter."] };
  if (json === undefined) return { problems: ["It is not a JSON object."] };
  return form.check(json);
}
