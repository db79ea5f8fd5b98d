import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const STATIC = /^(?:import|export) (?!type\b)(?:[\w*{},\s]+ from )?"([^"]+)"/gm;
const PACKAGES = resolve(import.meta.dirname, "../../packages");

/**
 * The packages of this workspace that a file imports when it is loaded, by whatever way: what is imported in the course
 * of a function, and types, are left out.
 */
export function importedPackages(file: string): string[] {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const follow = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const [, name] of readFileSync(path, "utf8").matchAll(STATIC)) {
      if (name!.startsWith(".")) follow(join(dirname(path), name!));
      if (!name!.startsWith("@scribe/")) continue;
      const [scope, own, ...door] = name!.split("/");
      packages.add(`${scope}/${own}`);
      const { exports } = JSON.parse(readFileSync(join(PACKAGES, own!, "package.json"), "utf8"));
      follow(join(PACKAGES, own!, exports[[".", ...door].join("/")]));
    }
  };
  follow(file);
  return [...packages].sort();
}
