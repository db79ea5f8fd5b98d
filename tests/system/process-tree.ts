import { execFileSync } from "node:child_process";

/** The processes that descend from `pid` now, with their command lines. */
export function descendants(pid: number): { pid: number; command: string }[] {
  const rows = execFileSync("ps", ["-eo", "pid=,ppid=,stat=,args="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
      return match && !match[3].startsWith("Z")
        ? [{ pid: Number(match[1]), parent: Number(match[2]), command: match[4] }]
        : [];
    });
  const below = (parent: number): { pid: number; command: string }[] =>
    rows
      .filter((row) => row.parent === parent && !row.command.startsWith("ps "))
      .flatMap(({ pid: child, command }) => [{ pid: child, command }, ...below(child)]);
  return below(pid);
}

export function isAlive(pid: number): boolean {
  try {
    return !execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" })
      .trim()
      .startsWith("Z");
  } catch {
    return false;
  }
}
