/** One event or comment as it came over the wire. */
export interface SseEvent {
  id?: string;
  event?: string;
  data?: unknown;
  comment?: string;
  retry?: string;
}

/** The stream's events in order, until it ends. */
export async function* readSse(response: Response): AsyncGenerator<SseEvent> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      yield parse(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
}

/** Collects until `until` says so, or the stream ends. */
export async function collect(
  events: AsyncGenerator<SseEvent>,
  until: (event: SseEvent) => boolean = () => false,
): Promise<SseEvent[]> {
  const seen: SseEvent[] = [];
  for (;;) {
    const { value, done } = await events.next();
    if (done) return seen;
    seen.push(value);
    if (until(value)) return seen;
  }
}

function parse(block: string): SseEvent {
  const event: SseEvent = {};
  for (const line of block.split("\n")) {
    const [, name = "", value = ""] = /^([a-z]*): ?(.*)$/.exec(line) ?? [];
    if (name === "") event.comment = value;
    else if (name === "data") event.data = JSON.parse(value);
    else if (name === "id" || name === "event" || name === "retry") event[name] = value;
  }
  return event;
}
