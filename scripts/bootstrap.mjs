// Every npm script comes through here: it makes sure that what the task needs is installed, then runs the task under
// Node 24. Plain JavaScript without dependencies, for Node 20 and later: it runs before anything is installed.
import { chooseNode } from "./setup/choose-node.mjs";
import { runProgram } from "./setup/run-program.mjs";
import { Complaint, say } from "./setup/say.mjs";
import { setUp } from "./setup/set-up.mjs";
import { tasks } from "./tasks.mjs";

async function main([name, ...args]) {
  if (!Object.hasOwn(tasks, name ?? "")) {
    throw new Complaint(`No such task: ${name ?? "(none)"}. There are: ${Object.keys(tasks).join(", ")}.`);
  }
  await setUp({ report: name === "setup" });
  for (const program of tasks[name](args)) {
    const started = performance.now();
    if (program.title) say(`${program.title}`);
    const code = await runProgram(chooseNode(), program);
    if (code !== 0) {
      if (program.title) say(`${program.title}: failed (exit code ${code})`);
      return code;
    }
    if (program.title) say(`${program.title}: fine (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  }
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Complaint)) throw error;
  say(error.message);
  process.exitCode = 1;
}
