import type { HubProgress } from "@scribe/speech";
import type { Screen } from "../client/show-progress.ts";

const BAR_WIDTH = 28;
const REDRAW_MS = 100;
/** Without a terminal a line comes each time that so much more is done. */
const STEP_PERCENT = 20;

/** Shows a fetch while it runs: a bar that moves, or lines where there is no terminal. */
export function showFetch(screen: Screen): (progress: HubProgress) => void {
  let shown = -STEP_PERCENT;
  let drawnAt = 0;
  return ({ file, bytes, totalBytes }) => {
    const percent = totalBytes === 0 ? 100 : Math.floor((100 * bytes) / totalBytes);
    const whole = bytes === totalBytes;
    const megabytes = `${(bytes / 1e6).toFixed(1)} of ${(totalBytes / 1e6).toFixed(1)} MB`;
    if (screen.isTTY) {
      if (!whole && Date.now() - drawnAt < REDRAW_MS) return;
      drawnAt = Date.now();
      const full = Math.round((percent / 100) * BAR_WIDTH);
      const bar = `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)}`;
      screen.write(`\r\x1b[2K  ${bar} ${String(percent).padStart(3)} %  ${megabytes}  ${file}${whole ? "\n" : ""}`);
    } else if (percent >= shown + STEP_PERCENT || (whole && shown < 100)) {
      shown = percent;
      screen.write(`  ${String(percent).padStart(3)} %  ${megabytes}\n`);
    }
  };
}
