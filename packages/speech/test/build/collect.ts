import type { SpeechEvent, SpeechSegment } from "../../src/index.ts";

export type Collected = {
  events: SpeechEvent[];
  windows: Extract<SpeechEvent, { type: "window" }>[];
  segments: SpeechSegment[];
  text: string;
  language: Extract<SpeechEvent, { type: "language" }> | undefined;
  done: Extract<SpeechEvent, { type: "done" }> | undefined;
};

/** Reads a transcription to its end. */
export async function collect(events: AsyncIterable<SpeechEvent>): Promise<Collected> {
  const all: SpeechEvent[] = [];
  for await (const event of events) all.push(event);
  const ofType = <Type extends SpeechEvent["type"]>(type: Type) =>
    all.filter((event): event is Extract<SpeechEvent, { type: Type }> => event.type === type);
  const windows = ofType("window");
  const segments = windows.flatMap((window) => window.segments);
  return {
    events: all,
    windows,
    segments,
    text: segments.map(({ text }) => text).join(""),
    language: ofType("language")[0],
    done: ofType("done")[0],
  };
}
