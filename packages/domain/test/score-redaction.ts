import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ENTITY_TYPES, type Entity, type EntityType, findEntities } from "../src/index.ts";

export interface Sentence {
  text: string;
  entities: Entity[];
}

/** Five hundred sentences; `{type|what}` marks what is to be found. */
export function readSentences(): Sentence[] {
  const lines = readFileSync(join(import.meta.dirname, "redaction-sentences.txt"), "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => {
    const entities: Entity[] = [];
    let text = "";
    for (const [i, part] of line.split(/\{(\w+\|[^}]*)\}/).entries()) {
      if (i % 2 === 0) text += part;
      else {
        const [type, what = ""] = part.split("|");
        entities.push({ type: type as EntityType, start: text.length, end: text.length + what.length });
        text += what;
      }
    }
    return { text, entities };
  });
}

export interface TypeScore {
  type: EntityType;
  marked: number;
  found: number;
  right: number;
  precision: number;
  recall: number;
  wrong: string[];
}

/** By type; right is what is found with its type from its first to its last character. */
export function scoreRedaction(sentences: readonly Sentence[] = readSentences()): TypeScore[] {
  const key = ({ type, start, end }: Entity) => `${type} ${start} ${end}`;
  const scores = new Map(ENTITY_TYPES.map((type) => [type, { marked: 0, found: 0, right: 0, wrong: [] as string[] }]));
  for (const { text, entities } of sentences) {
    const found = findEntities(text);
    const foundKeys = new Set(found.map(key));
    const markedKeys = new Set(entities.map(key));
    for (const entity of entities) {
      const score = scores.get(entity.type)!;
      score.marked += 1;
      if (foundKeys.has(key(entity))) score.right += 1;
      else score.wrong.push(`missed: ${text}`);
    }
    for (const entity of found) {
      const score = scores.get(entity.type)!;
      score.found += 1;
      if (!markedKeys.has(key(entity))) score.wrong.push(`"${text.slice(entity.start, entity.end)}" in: ${text}`);
    }
  }
  return [...scores].map(([type, score]) => ({
    type,
    ...score,
    precision: score.found === 0 ? 1 : score.right / score.found,
    recall: score.marked === 0 ? 1 : score.right / score.marked,
  }));
}
