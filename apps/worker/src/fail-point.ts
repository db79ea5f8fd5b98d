/** The places where a test may end this process as a power cut would. */
export const FAIL_POINTS = [
  "after-claim",
  "after-fetch",
  "after-decode",
  "after-window",
  "before-commit",
  "after-commit",
] as const;
export type FailPoint = (typeof FAIL_POINTS)[number];

/** Called at each of those places; does nothing unless a test armed it. */
export type Fail = (point: FailPoint) => void;

const ENTRY = /^([a-z-]+)(?:=(\d*\.?\d+)|#(\d+))$/;

/**
 * Reads `SCRIBE_FAILPOINTS`, which only tests set: `after-window=0.1` kills at one passage of ten, `before-commit#3` at
 * the third; several between commas. Killing is SIGKILL to this process: nothing is cleaned up.
 *
 * @throws TypeError where an entry is malformed: a test whose fault never comes proves nothing.
 */
export function armFailPoints(
  text: string | undefined,
  { random = Math.random, kill = killOurselves }: { random?: () => number; kill?: () => void } = {},
): Fail {
  if (!text) return () => {};
  const armed = new Map<string, () => boolean>();
  for (const entry of text.split(",")) {
    const [, name = "", probability, passage] = ENTRY.exec(entry.trim()) ?? [];
    if (!(FAIL_POINTS as readonly string[]).includes(name)) throw new TypeError(`SCRIBE_FAILPOINTS: ${entry}?`);
    let passed = 0;
    armed.set(name, passage === undefined ? () => random() < Number(probability) : () => ++passed === Number(passage));
  }
  return (point) => {
    if (armed.get(point)?.()) kill();
  };
}

function killOurselves(): void {
  process.kill(process.pid, "SIGKILL");
}
