import type { Segment } from "../transcript.ts";
import { type Cue, onOneLine, type SubtitleOptions, toCues } from "./wrap-cues.ts";

export const TRANSCRIPT_FORMATS = ["json", "text", "srt", "vtt", "tsv"] as const;
export type TranscriptFormat = (typeof TRANSCRIPT_FORMATS)[number];

export const CONTENT_TYPES = {
  json: "application/json; charset=utf-8",
  text: "text/plain; charset=utf-8",
  srt: "application/x-subrip; charset=utf-8",
  vtt: "text/vtt; charset=utf-8",
  tsv: "text/tab-separated-values; charset=utf-8",
} as const satisfies Record<TranscriptFormat, string>;

export const FILE_EXTENSIONS = { json: "json", text: "txt", srt: "srt", vtt: "vtt", tsv: "tsv" } as const;

/** SubRip: `00:00:01,500`, cues numbered from 1. A line that looks like a cue's arrow cannot end the cue early. */
export function renderSrt(segments: readonly Segment[], options: SubtitleOptions = {}): string {
  return toCues(segments, options)
    .map((cue, index) => `${index + 1}\n${times(cue, ",")}\n${body(cue, (text) => text.replaceAll("-->", "->"))}\n`)
    .join("\n");
}

/** WebVTT: `00:00:01.500`, `&`, `<` and `>` escaped, the speaker as a voice tag. */
export function renderVtt(segments: readonly Segment[], options: SubtitleOptions = {}): string {
  const cues = toCues(segments, options).map((cue) => {
    const text = cue.lines.map(escapeVtt).join("\n");
    const voiced = cue.speaker === undefined ? text : `<v ${escapeVtt(cue.speaker)}>${text}`;
    return `${times(cue, ".")}\n${voiced}\n`;
  });
  return ["WEBVTT\n", ...cues].join("\n");
}

/** Tab-separated as Whisper's own writer has it: start and end in milliseconds, text without tabs. */
export function renderTsv(segments: readonly Segment[], options: SubtitleOptions = {}): string {
  const withSpeakers = options.speakers !== false && segments.some((segment) => segment.speaker !== undefined);
  const header = withSpeakers ? "start\tend\tspeaker\ttext\n" : "start\tend\ttext\n";
  const rows = segments.map((segment) => {
    const text = onOneLine(segment.text).replaceAll(/\t+/g, " ");
    const speaker = withSpeakers ? `${segment.speaker ?? ""}\t` : "";
    return `${Math.round(segment.start * 1000)}\t${Math.round(segment.end * 1000)}\t${speaker}${text}\n`;
  });
  return header + rows.join("");
}

/** Plain text, a segment a line; a line opens with its speaker where the speaker changes. */
export function renderText(segments: readonly Segment[], options: SubtitleOptions = {}): string {
  let before: string | undefined;
  let out = "";
  for (const segment of segments) {
    const text = onOneLine(segment.text);
    if (text === "") continue;
    const speaker = options.speakers === false ? undefined : segment.speaker;
    out += speaker !== undefined && speaker !== before ? `${speaker}: ${text}\n` : `${text}\n`;
    before = speaker;
  }
  return out;
}

function body(cue: Cue, escapeText: (text: string) => string): string {
  const text = cue.lines.map(escapeText).join("\n");
  return cue.speaker === undefined ? text : `${cue.speaker}: ${text}`;
}

function times(cue: Cue, decimal: "," | "."): string {
  return `${clock(cue.start, decimal)} --> ${clock(cue.end, decimal)}`;
}

function clock(seconds: number, decimal: string): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const pad = (value: number, width: number) => String(Math.floor(value)).padStart(width, "0");
  return `${pad(ms / 3_600_000, 2)}:${pad((ms / 60_000) % 60, 2)}:${pad((ms / 1000) % 60, 2)}${decimal}${pad(ms % 1000, 3)}`;
}

function escapeVtt(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
