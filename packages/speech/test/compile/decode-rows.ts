import type { BatchRow } from "../../src/compile/batch-row.ts";
import type { CompiledModel } from "../../src/compile/compiled-model.ts";
import type { ModelFolder } from "../../src/model/read-model-folder.ts";
import type { EncodedAudio } from "../../src/sessions/whisper-model.ts";
import { indexOfMaximum } from "../../src/whisper/log-softmax.ts";
import { suppress, suppressAtBegin, timestampRules } from "../../src/whisper/logits-rules.ts";

export type RowRequest = { audio: EncodedAudio; row: number; timed: boolean; previous?: readonly number[] };

/** Greedy decoding of ragged rows that share a batch of at most `width`; more join as others end. */
export async function decodeRows(
  model: ModelFolder,
  network: CompiledModel,
  requests: readonly RowRequest[],
  { width = 8, rounds = 8, maximumTokens = 224 } = {},
): Promise<number[][]> {
  const { special, generation } = model;
  const suppressed = new Float32Array(model.config.vocab_size);
  for (const id of model.suppressTokens) suppressed[id] = Number.NEGATIVE_INFINITY;
  const texts: number[][] = requests.map(() => []);
  const batch = network.newBatch();
  const running = new Map<BatchRow, number[]>();
  const waiting = [...requests.entries()];
  while (waiting.length > 0 || running.size > 0) {
    const entering = waiting.splice(0, width - running.size);
    if (entering.length > 0) {
      const joined = await batch.join(
        entering.map(([, { audio, row, timed, previous = [] }]) => {
          const start = [special.startOfTranscript, ...(timed ? [] : [special.noTimestamps])];
          const prompt = previous.length > 0 ? [special.startOfPrevious, ...previous, ...start] : start;
          const logitsAt = [prompt.length - 1];
          // biome-ignore lint/suspicious/noExplicitAny: the handle is the model's own
          return { audio: audio as any, row, prompt, logitsAt, timed, suppress: suppressed };
        }),
      );
      for (const [i, { row, logits }] of joined.entries()) {
        const rules = [suppress(model.suppressTokens), suppressAtBegin(model.beginSuppressTokens)];
        const maximumInitialIndex = generation.max_initial_timestamp_index ?? 50;
        if (row.timed) rules.push(timestampRules({ ...special, maximumInitialIndex }));
        for (const rule of rules) rule(logits, []);
        const token = indexOfMaximum(logits);
        const text = texts[entering[i][0]];
        running.set(row, text);
        if (token !== special.endOfText) text.push(token);
        batch.begin(row, token);
      }
    }
    const before = [...batch.rows];
    const advanced = await batch.advance(rounds);
    for (const [slot, row] of before.entries()) {
      const text = running.get(row) ?? [];
      text.push(...advanced[slot].tokens.filter((token) => token !== special.endOfText));
      if (!row.done && text.length < maximumTokens) continue;
      text.splice(maximumTokens);
      batch.leave(row);
      running.delete(row);
    }
  }
  return texts;
}
