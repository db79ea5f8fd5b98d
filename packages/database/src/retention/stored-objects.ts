/** What retention needs of a store of objects. */
export interface StoredObjects {
  list(prefix: string, options?: { signal?: AbortSignal }): AsyncIterable<{ key: string; modifiedAt: Date }>;
  stat(key: string, options?: { signal?: AbortSignal }): Promise<unknown>;
  remove(key: string, options?: { signal?: AbortSignal }): Promise<boolean>;
  sweepTemporary(options?: { signal?: AbortSignal }): Promise<number>;
}

/** What a run of retention has come to. */
export interface CleanupReport {
  /** Rows and objects that were looked at because of their age, or because nothing names them. */
  scanned: number;
  deleted: number;
  failed: number;
  /** Kinds of failure, in words that may be shown. */
  errors: string[];
}

export interface RetentionRun {
  objects: StoredObjects;
  report: CleanupReport;
  /** Who asked: `retention`, or a key's public id. */
  actor: string;
  signal: AbortSignal;
}

/** Removes an object and looks whether it is gone. A failure is counted; the next run finds the object as an orphan. */
export async function removeObject({ objects, report, signal }: RetentionRun, key: string): Promise<boolean> {
  try {
    await objects.remove(key, { signal });
    if ((await objects.stat(key, { signal })) !== null) throw new Error("still there");
    report.deleted += 1;
    return true;
  } catch {
    signal.throwIfAborted();
    countFailure(report, "an object could not be removed from storage");
    return false;
  }
}

export function countFailure(report: CleanupReport, what: string): void {
  report.failed += 1;
  if (!report.errors.includes(what)) report.errors.push(what);
}
