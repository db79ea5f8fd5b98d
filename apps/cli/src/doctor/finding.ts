/** What a check found: all is well, something to know of, or something that will not work; and the way to mend it. */
export interface Finding {
  about: string;
  state: "ok" | "warning" | "wrong";
  says: string;
  mend?: string;
}

export const ok = (about: string, says: string): Finding => ({ about, state: "ok", says });
export const warning = (about: string, says: string, mend: string): Finding => ({
  about,
  state: "warning",
  says,
  mend,
});
export const wrong = (about: string, says: string, mend: string): Finding => ({ about, state: "wrong", says, mend });

/** An error's words, also of one that stands for several, as those of connections do. */
export function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return wordsOf(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}
