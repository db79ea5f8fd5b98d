// One part of `engine`, or `equality`, in a process of its own: node part-process.ts NAME MINUTES ROUNDS
import { type PartName, runPart } from "./parts.ts";

const [name, minutes, rounds] = process.argv.slice(2);
if (name === "equality") process.exitCode = (await (await import("./compare-tokens.ts")).compareTokens()) ? 0 : 1;
else await runPart(name as PartName, { minutes: Number(minutes), rounds: Number(rounds) });
// Native libraries leave threads behind.
process.exit();
