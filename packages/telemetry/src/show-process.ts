import { statfs } from "node:fs/promises";
import type { Registry } from "prom-client";
import { collectTogether } from "./collect-together.ts";
import { gauge } from "./make-metric.ts";

export interface ProcessMetricsOptions {
  version: string;
  /** Folders whose disks are watched, by the name that the label shows; one that is not there yet is left out. */
  folders: Readonly<Record<string, string>>;
  /** What this process cannot work without: each resolves where it answers, and rejects or hangs where it does not. */
  dependencies: Readonly<Record<string, () => Promise<unknown>>>;
}

/** A scrape that hangs tells nothing at all. */
const ANSWER_LIMIT_MS = 2_000;

/** What every process shows of its surroundings: its version, its disks, and whether its dependencies answer. */
export function showProcess(registry: Registry, { version, folders, dependencies }: ProcessMetricsOptions): void {
  gauge(registry, "scribe_build_info").set({ version }, 1);
  const look = collectTogether(async () => {
    for (const [folder, path] of Object.entries(folders)) {
      try {
        const { bavail, blocks, bsize } = await statfs(path);
        free.set({ folder }, bavail * bsize);
        size.set({ folder }, blocks * bsize);
      } catch {
        free.remove({ folder });
        size.remove({ folder });
      }
    }
  });
  const free = gauge(registry, "scribe_disk_free_bytes", look);
  const size = gauge(registry, "scribe_disk_bytes", look);
  gauge(registry, "scribe_dependency_up", async function () {
    await Promise.all(
      Object.entries(dependencies).map(async ([dependency, ask]) =>
        this.set({ dependency }, (await answers(ask)) ? 1 : 0),
      ),
    );
  });
}

async function answers(ask: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ANSWER_LIMIT_MS);
  });
  try {
    return await Promise.race([ask().then((answer) => answer !== false), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
