/** Errors of a store that is away come by the hundred; one line a second tells as much. */
export function throttled(tell: (error: Error) => void): (error: Error) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (error) => {
    const now = performance.now();
    if (now - last < 1_000) return;
    last = now;
    tell(error);
  };
}
