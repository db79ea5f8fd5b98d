/** So many times as many as are heard at once may be begun before the first of them is read. */
const AHEAD = 2;

/**
 * Hears things side by side, `atOnce` of them, beginning with the first; where one has ended the next begins, whether it
 * was read or not, up to twice as many ahead of the one that is read. Things may still be found while the first are heard.
 */
export function hearAhead<Thing, Result>(
  things: AsyncIterable<Thing>,
  atOnce: () => number,
  hear: (thing: Thing) => Promise<Result>,
) {
  const source = things[Symbol.asyncIterator]();
  /** What was begun and not read yet, in order. */
  const unread: { thing: Thing | undefined; heard: Promise<Result> }[] = [];
  /** While the next thing is being found. */
  let finding: Promise<void> | undefined;
  let [running, reading, found, over] = [0, 0, false, false];

  const begin = () => {
    const most = Math.max(1, atOnce());
    if (over || found || finding || running >= most || reading + unread.length >= AHEAD * most) return;
    finding = findNext().finally(() => {
      finding = undefined;
      begin();
    });
  };
  const findNext = async () => {
    let next: IteratorResult<Thing>;
    try {
      next = await source.next();
    } catch (error) {
      found = true;
      const heard = Promise.reject(error);
      heard.catch(() => {});
      unread.push({ thing: undefined, heard });
      return;
    }
    found = next.done === true;
    if (next.done || over) return;
    const heard = hear(next.value);
    unread.push({ thing: next.value, heard });
    running++;
    const ended = () => {
      running--;
      begin();
    };
    // Its failure is thrown when it is read.
    heard.then(ended, ended);
  };
  /** Waits until there is something to be read, or nothing more is found. */
  const oneMore = async () => {
    begin();
    while (unread.length === 0 && finding) await finding;
  };

  return {
    /** The next thing with what was heard of it, and whether it is the last; undefined behind that. */
    async read(): Promise<{ thing: Thing; result: Result; isLast: boolean } | undefined> {
      await oneMore();
      const next = unread.shift();
      if (!next) return undefined;
      reading = 1;
      begin();
      const result = await next.heard;
      reading = 0;
      await oneMore();
      return { thing: next.thing as Thing, result, isLast: unread.length === 0 };
    },
    /** Begins nothing more; resolves when nothing is being heard or found any more. */
    async end(): Promise<void> {
      over = true;
      await finding;
      await Promise.allSettled(unread.map(({ heard }) => heard));
      await source.return?.();
    },
  };
}
