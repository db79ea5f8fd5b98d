import type { Span } from "./turns.ts";

/** Seconds that a probability of speech is for. */
const WINDOW_SECONDS = 0.032;
/**
 * Lower than for transcription: what is missed here has no speaker, while a noise that is taken for speech does no harm
 * to those who speak. Begins at the first, ends below the second.
 */
const ONSET = 0.3;
const OFFSET = 0.15;
const SHORTEST_PAUSE = 0.25;
const SHORTEST_SPEECH = 0.1;
const PADDING = 0.05;

/** Stretches of speech from the probabilities of windows of 512 samples, by time and apart from each other. */
export function speechSpans(probabilities: ArrayLike<number>, durationSeconds: number): Span[] {
  const found: Span[] = [];
  let open: Span | undefined;
  for (let i = 0; i < probabilities.length; i++) {
    const [start, end] = [i * WINDOW_SECONDS, (i + 1) * WINDOW_SECONDS];
    if (!open) {
      if (probabilities[i] < ONSET) continue;
      open = { start, end };
      found.push(open);
    } else if (probabilities[i] >= OFFSET) open.end = end;
    else if (start - open.end > SHORTEST_PAUSE) open = undefined;
  }
  const spans: Span[] = [];
  for (const span of found) {
    if (span.end - span.start < SHORTEST_SPEECH) continue;
    const start = Math.max(0, span.start - PADDING);
    const end = Math.min(durationSeconds, span.end + PADDING);
    const before = spans.at(-1);
    if (before && start <= before.end) before.end = end;
    else if (end > start) spans.push({ start, end });
  }
  return spans;
}
