import { EnhancementError } from "@scribe/domain";

/**
 * How many tokens a text may be, without the model's own tokenizer: a token of English is about four bytes, of scripts
 * with three bytes a letter about one letter. Three bytes errs on the safe side.
 */
function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 3);
}

export interface Budget {
  /** Of what stands inside the fence. */
  inputTokens: number;
  outputTokens: number;
}

/** Below that there is no room for a sentence and its neighbours. */
const LEAST_INPUT_TOKENS = 128;
const MOST_OUTPUT_TOKENS = 4096;
/** For roles and marks, and for the report where an answer is refused. */
const SPARE_TOKENS = 192;

/**
 * Shares the context between what is read and what is written.
 *
 * @param likeInput whether the answer is as long as what is read: a translation
 * @throws EnhancementError `context_too_small`
 */
export function shareContext(contextTokens: number, instructions: string, likeInput: boolean): Budget {
  const free = contextTokens - estimateTokens(instructions) - SPARE_TOKENS;
  // Answers name each line once more, and another language may need more tokens.
  const outputTokens = likeInput ? Math.floor(free * 0.65) : Math.min(MOST_OUTPUT_TOKENS, Math.floor(free / 4));
  const inputTokens = free - outputTokens;
  if (inputTokens >= LEAST_INPUT_TOKENS) return { inputTokens, outputTokens };
  throw new EnhancementError("context_too_small", "The model's context is too small for the task's instructions.");
}

/** Neighbours that together stay within `tokens`; one that alone does not stands alone. */
export function groupByTokens<T>(
  items: readonly T[],
  textOf: (item: T, index: number) => string,
  tokens: number,
): T[][] {
  const groups: T[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const [index, item] of items.entries()) {
    const size = estimateTokens(textOf(item, index)) + 1;
    if (used + size > tokens) {
      groups.push([]);
      used = 0;
    }
    groups.at(-1)?.push(item);
    used += size;
  }
  return groups;
}
