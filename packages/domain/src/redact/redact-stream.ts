import type { EngineSegment } from "../engine.ts";
import { type Edit, rewriteSegment } from "../rewrite-segment.ts";
import { type EntityType, placeholder } from "./entity.ts";
import { findEntities } from "./find-entities.ts";
import { holdBackFrom } from "./hold-back.ts";

/** What the redaction of a transcript has not settled yet. It holds plain text: it is stored encrypted, or not at all. */
export interface RedactionState<T = EngineSegment> {
  /** The end of what was given out, as it was said: it tells what the next words mean. */
  before: string;
  held: T[];
}

export interface Redactor<T extends EngineSegment = EngineSegment> {
  /** Takes finished segments in, and gives those out of which nothing that comes can change the redaction. */
  take(segments: readonly T[]): T[];
  /** No more comes: all that was held. */
  finish(): T[];
  state(): RedactionState<T>;
}

/** What of the past is looked at, in characters. */
const REMEMBERED = 600;

/**
 * Takes entities out of segments as they come, those across segments and windows too: the end of what is known is held
 * back until it can no longer be, or decide, the start of one.
 */
export function createRedactor<T extends EngineSegment = EngineSegment>(
  types: readonly EntityType[],
  from: RedactionState<T> = { before: "", held: [] },
): Redactor<T> {
  const wanted = new Set(types);
  let { before } = from;
  let held = [...from.held];

  function release(all: boolean): T[] {
    const { text, offsets } = join(before, held);
    const settled = all ? text.length + 1 : holdBackFrom(text);
    let count = 0;
    while (count < held.length && offsets[count]! + held[count]!.text.length <= settled) count += 1;
    if (count === 0) return [];
    const entities = findEntities(text).filter(({ type }) => wanted.has(type));
    const ready = held.slice(0, count).map((segment, i) => redact(segment, offsets[i]!, entities));
    const end = offsets[count - 1]! + held[count - 1]!.text.length;
    before = text.slice(Math.max(0, end - REMEMBERED), end);
    held = held.slice(count);
    return ready;
  }

  return {
    take(segments) {
      const ready: T[] = [];
      for (const segment of segments) {
        // Another channel is another voice, heard from its beginning: what was said before ends with the one before.
        if (held.length > 0 && held[0]!.channel !== segment.channel) {
          ready.push(...release(true));
          before = "";
        }
        held.push(segment);
      }
      ready.push(...release(false));
      return ready;
    },
    finish: () => release(true),
    state: () => ({ before, held }),
  };
}

function join(before: string, segments: readonly { text: string }[]): { text: string; offsets: number[] } {
  let text = before;
  const offsets = segments.map((segment) => {
    text += text === "" ? "" : " ";
    const offset = text.length;
    text += segment.text;
    return offset;
  });
  return { text, offsets };
}

function redact<T extends EngineSegment>(segment: T, offset: number, entities: ReturnType<typeof findEntities>): T {
  const length = segment.text.length;
  const edits: Edit[] = entities
    .filter(({ start, end }) => start < offset + length && end > offset)
    .map(({ type, start, end }) => ({
      start: Math.max(0, start - offset),
      end: Math.min(length, end - offset),
      text: placeholder(type),
    }));
  return withoutTokens(rewriteSegment(segment, edits));
}

/** Token ids are the text in another alphabet. */
function withoutTokens<T extends EngineSegment>(segment: T): T {
  if (segment.extra_data === undefined) return segment;
  const { tokens: _tokens, ...extra_data } = segment.extra_data;
  return { ...segment, extra_data };
}

/** A text that is whole, with its entities taken out. */
export function redactText(text: string, types: readonly EntityType[]): string {
  const wanted = new Set(types);
  let [result, at] = ["", 0];
  for (const { type, start, end } of findEntities(text)) {
    if (!wanted.has(type)) continue;
    result += text.slice(at, start) + placeholder(type);
    at = end;
  }
  return result + text.slice(at);
}
