import { isTerminal, type Segment } from "@scribe/domain";
import { followJob } from "./follow-job.ts";
import { type Client, getJob, type JobView } from "./scribe-client.ts";

const BAR_WIDTH = 28;
/** Without a terminal a line comes each time that so much more is done. */
const STEP_PERCENT = 20;

export interface Screen {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
}

/** Shows a job while it runs: a bar that moves (lines, where there is no terminal), and each segment as it comes. */
export async function showProgress(
  client: Client,
  id: string,
  screen: Screen,
): Promise<{ job: JobView; segments: Segment[] }> {
  const segments: Segment[] = [];
  let shown = -STEP_PERCENT;
  const bar = (percent: number, phase: string) => {
    if (screen.isTTY) screen.write(`\r\x1b[2K${formatBar(percent, phase)}`);
    else if (percent >= shown + STEP_PERCENT || (percent === 100 && shown < 100)) {
      screen.write(`${formatBar(percent, phase)}\n`);
      shown = percent;
    }
  };
  const line = (text: string) => screen.write(screen.isTTY ? `\r\x1b[2K${text}\n` : `${text}\n`);
  let percent = 0;
  let phase = "queued";
  bar(percent, phase);
  for await (const event of followJob(client, id)) {
    if (event.type === "segment") {
      segments.push(event.data);
      line(formatSegment(event.data));
    }
    if (event.type === "progress") ({ progress: percent, phase } = event.data);
    if (event.type === "status" && event.data.phase !== undefined) phase = event.data.phase;
    if (event.type === "done") [percent, phase] = [100, event.data.status];
    bar(percent, phase);
  }
  if (screen.isTTY) screen.write("\n");
  const job = await getJob(client, id);
  if (!isTerminal(job.status)) throw new Error(`The event stream ended, but job ${id} is ${job.status}.`);
  return { job, segments };
}

export function formatBar(percent: number, phase: string): string {
  const full = Math.round((percent / 100) * BAR_WIDTH);
  return `  ${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)} ${String(Math.round(percent)).padStart(3)} % ${phase}`;
}

function formatSegment({ start, end, text }: Segment): string {
  return `  ${clock(start)} → ${clock(end)}  ${text.trim()}`;
}

/** `m:ss.s`. */
function clock(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}
