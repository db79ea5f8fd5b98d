import type { DiarizationTurn } from "../transcript.ts";

/** Pixels of the drawing. */
const WIDTH = 960;
const ROW = 28;
const LABELS = 160;
const AXIS = 28;
/** Distances of the axis' marks, in seconds: the first that gives at most twelve of them. */
const MARKS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200];
const COLOURS = ["#2f6fb2", "#c2571a", "#3a8a4d", "#8b4fb0", "#a8871b", "#b23a5e", "#2a8c8c", "#6b6b6b"];
/** Longer names are cut: they would run into the rows. */
const LONGEST_NAME = 22;

/** Who speaks when, drawn: a row for each speaker in order of appearance, time from left to right. */
export function renderTimeline(
  turns: readonly DiarizationTurn[],
  speakers: readonly string[],
  durationSeconds: number,
): string {
  const seconds = Math.max(durationSeconds, ...turns.map(({ end }) => end), 0.001);
  const x = (time: number) => round(LABELS + (WIDTH - LABELS - 16) * Math.min(1, Math.max(0, time / seconds)));
  const height = AXIS + ROW * Math.max(1, speakers.length) + 12;
  const rows = speakers.map((speaker, row) => {
    const top = AXIS + row * ROW;
    const bars = turns
      .filter((turn) => turn.speaker === speaker)
      .map(({ start, end }) => {
        const width = Math.max(1, round(x(end) - x(start)));
        return `<rect x="${x(start)}" y="${top + 5}" width="${width}" height="${ROW - 10}"><title>${clock(start)}–${clock(end)}</title></rect>`;
      });
    const name = speaker.length > LONGEST_NAME ? `${speaker.slice(0, LONGEST_NAME - 1)}…` : speaker;
    return `<g fill="${COLOURS[row % COLOURS.length]}"><text x="8" y="${top + 19}">${plainText(name)}</text>${bars.join("")}</g>`;
  });
  const step = MARKS.find((mark) => seconds / mark <= 12) ?? Math.ceil(seconds / 12 / 3600) * 3600;
  const marks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => {
    const at = x(i * step);
    return `<path d="M${at} ${AXIS}V${height - 8}" stroke="#ddd"/><text x="${at + 2}" y="18">${clock(i * step)}</text>`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
    `font-family="sans-serif" font-size="12" role="img"><title>Who speaks when</title>` +
    `<rect width="100%" height="100%" fill="#fff"/><g fill="#555">${marks.join("")}</g>${rows.join("")}</svg>\n`
  );
}

const round = (value: number) => Math.round(value * 10) / 10;

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return `${hours > 0 ? `${hours}:` : ""}${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`;
}

/** Names are the caller's own: nothing of them may be markup, or a character that XML does not allow. */
function plainText(text: string): string {
  return text
    .replaceAll(/\p{Cc}/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
