import type { SpeechEvent, SpeechOptions, SpeechRuntime, SpeechSegment } from "@scribe/speech";

export interface Transcript {
  text: string;
  segments: SpeechSegment[];
  ms: number;
}

/** Transcribes a file of samples; `heard` sees the events as they come; `id` seeds what is drawn. */
export async function transcribeFile(
  runtime: SpeechRuntime,
  model: string,
  pcmPath: string,
  options: SpeechOptions = {},
  heard: (event: SpeechEvent) => void = () => {},
  id = pcmPath,
): Promise<Transcript> {
  const segments: SpeechSegment[] = [];
  const startedAt = performance.now();
  const request = { id, model, pcmPath, options };
  for await (const event of runtime.transcribe(request, new AbortController().signal)) {
    if (event.type === "window") segments.push(...event.segments);
    heard(event);
  }
  return { text: segments.map(({ text }) => text).join(" "), segments, ms: performance.now() - startedAt };
}
