import { findEntities } from "@scribe/domain";
import { readSentences, scoreRedaction } from "../../../packages/domain/test/score-redaction.ts";
import { median, printTable } from "../print-table.ts";

const ROUNDS = 20;

/** Precision and recall by type on the five hundred sentences that the tests hold, and the pace. */
export async function redaction(): Promise<void> {
  const sentences = readSentences();
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const scores = scoreRedaction(sentences);
  printTable(
    ["type", "marked", "found", "right", "precision", "recall"],
    scores.map(({ type, marked, found, right, precision, recall }) => [
      ...[type, marked, found, right],
      ...[percent(precision), percent(recall)],
    ]),
  );
  const wrong = scores.flatMap((score) => score.wrong.map((what) => `${score.type}: ${what}`));
  console.log(
    `\n${sentences.length} sentences; ${wrong.length} mistakes${wrong.map((line) => `\n- ${line}`).join("")}`,
  );
  const characters = sentences.reduce((sum, { text }) => sum + text.length, 0);
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (const { text } of sentences) findEntities(text);
    return performance.now() - start;
  });
  console.log(`Pace: ${(characters / (median(times) / 1000) / 1e6).toFixed(1)} million characters a second.`);
}
