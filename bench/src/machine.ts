import { cpus, totalmem } from "node:os";

/** Where the figures come from, in one line. */
export function describeMachine(): string {
  const processors = cpus();
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  const { platform, arch, version } = process;
  return `Machine: ${processors[0]?.model.trim() ?? "unknown"}, ${processors.length} cores, ${memory} GiB; ${platform} ${arch}, Node ${version}`;
}
