const TELL_EVERY_MS = 1000;

/** Counts runs by the share of a batch's rows that were used, and tells of them together: a run takes milliseconds. */
export function countOccupancy(
  onShares: (shares: [share: number, runs: number][]) => void,
  now: () => number = () => performance.now(),
) {
  const runs = new Map<number, number>();
  let toldAt = now();
  const tell = () => {
    toldAt = now();
    if (runs.size > 0) onShares([...runs]);
    runs.clear();
  };
  return {
    count(rows: number, width: number) {
      const share = rows / width;
      runs.set(share, (runs.get(share) ?? 0) + 1);
      if (now() - toldAt >= TELL_EVERY_MS) tell();
    },
    tell,
  };
}
