import { setTimeout as sleep } from "node:timers/promises";
import type { JobPhase, JobStatus, Segment } from "@scribe/domain";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { type Client, call } from "./scribe-client.ts";

/** How often a broken stream is taken up again before that is an error. */
const RECONNECTIONS = 5;

export type JobEvent =
  | { type: "status"; data: { status: JobStatus; phase?: JobPhase } }
  | { type: "progress"; data: { progress: number; phase: JobPhase } }
  | { type: "segment"; data: Segment }
  | { type: "done"; data: { status: JobStatus } };

/**
 * What happens to a job, as it happens, until `done`. A stream that breaks is taken up after the last event that came
 * (`Last-Event-ID`), so nothing is missing and nothing comes twice.
 */
export async function* followJob(client: Client, id: string, firstPauseMs = 200): AsyncGenerator<JobEvent> {
  let last: string | undefined;
  for (let broken = 0; ; broken++) {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (last !== undefined) headers["last-event-id"] = last;
    const response = await call(client, "GET", `/api/v1/jobs/${id}/events`, { headers, signal: client.signal });
    // 204: `done` was the last that came.
    if (response.status === 204 || response.body === null) return;
    const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
    try {
      for await (const event of events) {
        if (event.id !== undefined) last = event.id;
        yield { type: event.event, data: JSON.parse(event.data) } as JobEvent;
        if (event.event === "done") return;
      }
    } catch (error) {
      client.signal.throwIfAborted();
      if (broken >= RECONNECTIONS) throw error;
    }
    if (broken >= RECONNECTIONS) throw new Error(`The event stream of job ${id} broke ${broken + 1} times.`);
    await sleep(firstPauseMs * 2 ** broken, undefined, { signal: client.signal });
  }
}
