import type { Dirent } from "node:fs";
import { opendir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Every file below `folder`, as paths relative to `root`, with `/`. Folders that vanish meanwhile are passed over.
 * `descend` decides which folders are entered.
 */
export async function* walkFiles(
  root: string,
  folder: string,
  descend: (relative: string) => boolean = () => true,
): AsyncGenerator<{ relative: string; name: string }> {
  let entries: AsyncIterable<Dirent>;
  try {
    entries = await opendir(join(root, folder));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return;
    throw error;
  }
  for await (const entry of entries) {
    const relative = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (descend(relative)) yield* walkFiles(root, relative, descend);
    } else if (entry.isFile()) {
      yield { relative, name: entry.name };
    }
  }
}
