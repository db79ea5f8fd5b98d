import { createHash } from "node:crypto";
import { tenantLexicons } from "@scribe/database";
import {
  compileLexicon,
  createRedactor,
  type EngineCheckpoint,
  type EngineSegment,
  type LexiconContent,
  type RedactionState,
  type Redactor,
  readStoredOptions,
  type TranscriptionOptions,
} from "@scribe/domain";
import type { Attempt, WorkerParts } from "../attempt.ts";
import { asked, WorkStopped } from "../work-stopped.ts";

/**
 * What happens to the engine's text before anything of it is stored: the words of a lexicon, then redaction. Whatever
 * is stored, told or indexed later is made of what comes out here.
 */
export interface PostProcess {
  /** For the engine: with the lexicon's hotwords. */
  options: TranscriptionOptions;
  /** For the engine; null where there is nothing, or nothing that holds for this lexicon and redaction. */
  resume: EngineCheckpoint | null;
  warnings: string[];
  /** Whether the text as it was heard may be kept beside. */
  keepsOriginal: boolean;
  /** The segments that are settled, of those that were given so far. */
  take(segments: readonly EngineSegment[]): EngineSegment[];
  /** No more comes: what was held back. */
  finish(): EngineSegment[];
  /** The engine starts again from the beginning. */
  restart(): void;
  /** What is stored instead of the engine's checkpoint; without one, for the last that there was. */
  seal(checkpoint?: EngineCheckpoint): EngineCheckpoint | null;
}

/** As many as a job may bring itself. */
const MOST_HOTWORDS = 256;

/** Changes with what segments are made of; a checkpoint of another version does not hold. */
const VERSION = 1;

export async function openPostProcess(attempt: Attempt, parts: WorkerParts): Promise<PostProcess> {
  const options = readStoredOptions(attempt.job.options);
  const types = options.redact ?? [];
  const stored = attempt.job.checkpoint;
  if (options.lexicon === undefined && types.length === 0) return passOn(options, stored);

  const warnings: string[] = [];
  const lexicon = options.lexicon === undefined ? null : await readLexicon(options, attempt, parts, warnings);
  const replace = lexicon === null ? null : compileLexicon(lexicon);
  const fingerprint = fingerprintOf(types, lexicon);
  const kept = stored?.fingerprint === fingerprint ? open(stored.state, parts) : null;
  const redacts = types.length > 0;
  const newRedactor = (state?: RedactionState): Redactor | null => (redacts ? createRedactor(types, state) : null);
  let redactor = newRedactor(kept?.redaction);
  let last = kept?.engine ?? null;

  const takeWords = (segment: EngineSegment): EngineSegment => {
    const changed = replace?.(segment) ?? segment;
    // With redaction the text as it was heard is kept nowhere.
    return changed === segment || redacts ? changed : { ...changed, original_text: segment.text };
  };
  return {
    options: lexicon === null ? options : { ...options, hotwords: hotwordsOf(options, lexicon) },
    resume: kept?.engine ?? null,
    warnings,
    keepsOriginal: replace !== null && !redacts,
    take(segments) {
      const worded = segments.map(takeWords);
      return redactor ? redactor.take(worded) : worded;
    },
    finish: () => redactor?.finish() ?? [],
    restart() {
      redactor = newRedactor();
      last = null;
    },
    seal(checkpoint) {
      last = checkpoint ?? last;
      if (last === null) return null;
      const text = JSON.stringify({ engine: last, redaction: redactor?.state() } satisfies Kept);
      // The engine goes on from what was said: its tokens, and what is held back, are text.
      const state = redacts ? { sealed: parts.db.secrets.encrypt(text) } : { open: text };
      return { fingerprint, processedSeconds: last.processedSeconds, state };
    },
  };
}

function passOn(options: TranscriptionOptions, resume: EngineCheckpoint | null): PostProcess {
  let last = resume;
  return {
    options,
    resume,
    warnings: [],
    keepsOriginal: false,
    take: (segments) => [...segments],
    finish: () => [],
    restart: () => {},
    seal: (checkpoint) => {
      last = checkpoint ?? last;
      return last;
    },
  };
}

/** The version that stood when the job was submitted. That it is gone, or broken, costs its words, not the transcript. */
async function readLexicon(
  { lexicon: name, lexicon_version: version }: TranscriptionOptions,
  { job, log }: Attempt,
  { db }: WorkerParts,
  warnings: string[],
): Promise<LexiconContent | null> {
  try {
    const content = version ? await asked(tenantLexicons(db, job.tenantId).read(version)) : null;
    if (content !== null) return content;
    warnings.push(`The lexicon "${name}" was deleted before it could be applied; the transcript is without it.`);
  } catch (error) {
    if (error instanceof WorkStopped) throw error;
    log.warn({ err: error }, "a lexicon cannot be read");
    warnings.push(`The lexicon "${name}" could not be applied; the transcript is without it.`);
  }
  return null;
}

function hotwordsOf({ hotwords = [] }: TranscriptionOptions, lexicon: LexiconContent): string[] {
  return [...new Set([...hotwords, ...lexicon.hotwords])].slice(0, MOST_HOTWORDS);
}

function fingerprintOf(types: readonly string[], lexicon: LexiconContent | null): string {
  const parts = JSON.stringify([VERSION, types, lexicon]);
  return `post-process:${createHash("sha256").update(parts).digest("hex")}`;
}

interface Kept {
  engine: EngineCheckpoint;
  redaction?: RedactionState | undefined;
}

/** What `seal` stored; null where it was sealed with a key that is gone. */
function open(state: unknown, { db }: WorkerParts): Kept | null {
  const { sealed, open: plain } = state as { sealed?: string; open?: string };
  try {
    return JSON.parse(sealed === undefined ? plain! : db.secrets.decrypt(sealed)) as Kept;
  } catch {
    return null;
  }
}
