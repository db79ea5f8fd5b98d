import { execFileSync } from "node:child_process";

/** Processes of these groups, or with one of these words in their command line, that live now: `pid command`. */
export function findProcesses(groups: ReadonlySet<number>, words: readonly string[]): string[] {
  return execFileSync("ps", ["-eo", "pid=,pgid=,stat=,args="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
      if (!match || match[3]!.startsWith("Z") || match[4]!.startsWith("ps ")) return [];
      const ours = groups.has(Number(match[2])) || words.some((word) => match[4]!.includes(word));
      return ours ? [`${match[1]} ${match[4]!.slice(0, 120)}`] : [];
    });
}
