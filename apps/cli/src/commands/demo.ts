import type { Command } from "commander";
import { runDemo } from "../demo/run-demo.ts";
import { untilSignal } from "../stack/until-signal.ts";

const HELP = `
Starts a stack of its own (under SCRIBE_DATA_DIR/demo, on free ports), submits the sample recording as an upload and by its
address, shows progress and segments as they come, receives and verifies the webhooks, prints transcript, subtitles, speed
and word error rate, and ends everything. Exits 1 when any of that fails.`;

export function demoCommand(program: Command): void {
  program
    .command("demo")
    .description("see the whole path work on a sample recording (this is `npm run demo`)")
    .addHelpText("after", HELP)
    .action(async (_options, command: Command) => {
      const { json } = command.optsWithGlobals<{ json?: boolean }>();
      const stop = untilSignal();
      try {
        const report = await runDemo(process.env, json ? process.stderr : process.stdout, stop.signal);
        if (json) console.log(JSON.stringify(report));
      } finally {
        stop.dispose();
      }
    });
}
