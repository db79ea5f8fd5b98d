/** So many times as many as are heard at once may be begun before the first of them is read. */
const AHEAD = 2;

/**
 * Hears things side by side, `atOnce` of them, beginning with the first; where one has ended the next begins, whether it
 * was read or not, up to twice as many ahead of the one that is read.
 */
export function hearAhead<Thing, Result>(
  things: readonly Thing[],
  atOnce: () => number,
  hear: (thing: Thing) => Promise<Result>,
) {
  /** What was begun and not read yet. */
  const unread = new Map<number, Promise<Result>>();
  let [begun, running, reading, over] = [0, 0, 0, false];
  const begin = () => {
    const most = Math.max(1, atOnce());
    while (!over && begun < things.length && running < most && begun < reading + AHEAD * most) {
      const heard = hear(things[begun]);
      unread.set(begun++, heard);
      running++;
      const ended = () => {
        running--;
        begin();
      };
      // Its failure is thrown when it is read.
      heard.then(ended, ended);
    }
  };
  return {
    /** What was heard of the thing at `index`; they are read one after the other. */
    async read(index: number): Promise<Result> {
      reading = index;
      begin();
      const heard = unread.get(index);
      unread.delete(index);
      if (heard === undefined) throw new Error(`no ${index} is to be read`);
      return await heard;
    },
    /** Begins nothing more; resolves when nothing is being heard any more. */
    async end(): Promise<void> {
      over = true;
      await Promise.allSettled(unread.values());
    },
  };
}
