/** A segment as its timestamps place it; times in steps of the timestamps from the window's start. */
export type TimedTokens = { startStep: number; endStep: number; tokens: number[] };

export type WindowSplit = {
  segments: TimedTokens[];
  /** How many steps the next window starts after this one; undefined: behind all of this one. */
  advanceSteps: number | undefined;
};

/**
 * Cuts a window's tokens into segments where two timestamps meet. Text behind the last such pair is left for the next
 * window, which starts at that pair, unless a single timestamp ends the window: then nothing was cut off. Without any
 * pair the window is one segment, up to its last timestamp (or, without one, `contentSteps`).
 */
export function splitSegments(tokens: readonly number[], firstTimestamp: number, contentSteps: number): WindowSplit {
  const isTimestamp = tokens.map((token) => token >= firstTimestamp);
  const step = (index: number) => tokens[index] - firstTimestamp;
  const endsComplete = tokens.length >= 2 && !isTimestamp.at(-2) && isTimestamp.at(-1) === true;
  const cuts = tokens.flatMap((_, i) => (i > 0 && isTimestamp[i - 1] && isTimestamp[i] ? [i] : []));

  if (cuts.length === 0) {
    const last = isTimestamp.lastIndexOf(true);
    const endStep = last >= 0 && step(last) > 0 ? step(last) : contentSteps;
    return { segments: [{ startStep: 0, endStep, tokens: [...tokens] }], advanceSteps: undefined };
  }
  if (endsComplete) cuts.push(tokens.length);
  let from = 0;
  const segments = cuts.map((to) => {
    const segment = { startStep: step(from), endStep: step(to - 1), tokens: tokens.slice(from, to) };
    from = to;
    return segment;
  });
  return { segments, advanceSteps: endsComplete ? undefined : step(from - 1) };
}
