import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  isTerminal,
  JOB_PHASES,
  JOB_STATUSES,
  JOB_TRANSITIONS,
  type JobStatus,
  mayBecome,
  PHASE_PROGRESS,
  transcribingProgress,
} from "../src/index.ts";

const status = fc.constantFrom(...JOB_STATUSES);

/** Follows the wishes that the table allows, and leaves out the others. */
function walk(wishes: readonly JobStatus[]): JobStatus[] {
  const path: JobStatus[] = ["pending"];
  for (const wish of wishes) if (mayBecome(path.at(-1)!, wish)) path.push(wish);
  return path;
}

describe("the life of a job", () => {
  test("ends at most once, and what has ended stays", () => {
    fc.assert(
      fc.property(fc.array(status, { maxLength: 30 }), (wishes) => {
        const path = walk(wishes);
        const end = path.findIndex(isTerminal);
        expect(end === -1 || end === path.length - 1).toBe(true);
      }),
    );
  });

  test("never goes back to pending, and completes only out of processing", () => {
    fc.assert(
      fc.property(fc.array(status, { maxLength: 30 }), (wishes) => {
        const path = walk(wishes);
        expect(path.lastIndexOf("pending")).toBe(0);
        const completed = path.indexOf("completed");
        if (completed !== -1) expect(path[completed - 1]).toBe("processing");
      }),
    );
  });

  test("every status is in the table, and reached from pending", () => {
    expect(Object.keys(JOB_TRANSITIONS).sort()).toEqual([...JOB_STATUSES].sort());
    const reached = new Set<JobStatus>(["pending"]);
    for (const from of reached) for (const to of JOB_TRANSITIONS[from]) reached.add(to);
    expect([...reached].sort()).toEqual([...JOB_STATUSES].sort());
  });
});

describe("progress", () => {
  test("rises from phase to phase, and reaches 100 in none", () => {
    const ends = JOB_PHASES.map((phase) => PHASE_PROGRESS[phase]);
    expect(ends).toEqual([...ends].sort((a, b) => a - b));
    expect(Math.max(...ends)).toBeLessThan(100);
  });

  test("while transcribing never falls, and stays between its ends", () => {
    const seconds = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(seconds, seconds, seconds, (a, b, total) => {
        const [first, second] = [Math.min(a, b), Math.max(a, b)].map((at) => transcribingProgress(at, total));
        expect(first).toBeLessThanOrEqual(second!);
        expect(first).toBeGreaterThanOrEqual(PHASE_PROGRESS.decoding);
        expect(second).toBeLessThanOrEqual(PHASE_PROGRESS.transcribing);
      }),
    );
  });

  test("of empty audio is that of all of it", () => {
    expect(transcribingProgress(0, 0)).toBe(PHASE_PROGRESS.transcribing);
  });
});
