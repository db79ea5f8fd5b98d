/** A queue of events that one reader takes one by one, until it is closed or failed. */
export class EventInbox<Event> {
  readonly #events: Event[] = [];
  #end: { error?: Error } | undefined;
  #wake: (() => void) | undefined;

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Adds an event; where `replaces` says so, in place of the newest that was not read yet. */
  push(event: Event, replaces: (older: Event) => boolean = () => false) {
    if (this.#end) return;
    const newest = this.#events.at(-1);
    if (newest !== undefined && replaces(newest)) this.#events.pop();
    this.#events.push(event);
    this.#wake?.();
  }

  /** The reader ends after what is in the queue; the first end holds. */
  close() {
    this.#end ??= {};
    this.#wake?.();
  }

  /** The reader fails after what is in the queue; the first end holds. */
  fail(error: Error) {
    this.#end ??= { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) {
        yield event;
      } else if (this.#end) {
        if (this.#end.error) throw this.#end.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }
}
