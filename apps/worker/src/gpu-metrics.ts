import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { collectTogether, gauge, type Registry } from "@scribe/telemetry";

const run = promisify(execFile);

const QUERY = ["--query-gpu=index,memory.used,memory.total,utilization.gpu", "--format=csv,noheader,nounits"];
const ANSWER_LIMIT_MS = 2_000;
const MEBIBYTE = 1024 * 1024;

/** Shows what `nvidia-smi` says of each GPU at a scrape. Where it is not installed or fails, nothing is shown. */
export function showGpus(registry: Registry, program = "nvidia-smi"): void {
  let missing = false;
  const look = collectTogether(async () => {
    const gpus = missing ? [] : await ask();
    for (const metric of [used, total, utilization]) metric.reset();
    for (const { gpu, usedMebibytes, totalMebibytes, percent } of gpus) {
      used.set({ gpu }, usedMebibytes * MEBIBYTE);
      total.set({ gpu }, totalMebibytes * MEBIBYTE);
      utilization.set({ gpu }, percent / 100);
    }
  });
  const used = gauge(registry, "scribe_worker_gpu_memory_used_bytes", look);
  const total = gauge(registry, "scribe_worker_gpu_memory_bytes", look);
  const utilization = gauge(registry, "scribe_worker_gpu_utilization_ratio", look);

  async function ask() {
    try {
      const { stdout } = await run(program, QUERY, { timeout: ANSWER_LIMIT_MS });
      return readGpus(stdout);
    } catch (error) {
      // Asked once: a program that is not there will not come.
      missing = (error as NodeJS.ErrnoException).code === "ENOENT";
      return [];
    }
  }
}

interface Gpu {
  gpu: string;
  usedMebibytes: number;
  totalMebibytes: number;
  percent: number;
}

/** Lines of `0, 1234, 16384, 57`; a figure that a driver does not know reads `[N/A]`, and its line is left out. */
export function readGpus(text: string): Gpu[] {
  return text
    .split("\n")
    .map((line) => line.split(",").map((cell) => cell.trim()))
    .filter((cells) => cells.length === 4 && cells.every((cell) => /^\d+$/.test(cell)))
    .map(([gpu = "", usedMebibytes, totalMebibytes, percent]) => ({
      gpu,
      usedMebibytes: Number(usedMebibytes),
      totalMebibytes: Number(totalMebibytes),
      percent: Number(percent),
    }));
}
