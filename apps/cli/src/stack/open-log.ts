import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";

/** The file `log` in a folder, anew: for parts that write to a descriptor, and for lines of ours. */
export function openLog(folder: string): { fd: number; write(line: string): void; close(): void } {
  mkdirSync(folder, { recursive: true });
  const fd = openSync(join(folder, "log"), "w", 0o600);
  return { fd, write: (line) => void writeSync(fd, `${line}\n`), close: () => closeSync(fd) };
}
