// Writes what the lock file names as a CycloneDX bill of materials: `npm run sbom`, or `npm run sbom -- FILE`.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { pnpmScript } from "./setup/choose-node.mjs";
import { root } from "./setup/places.mjs";

const file = resolve(process.argv[2] ?? "sbom.cdx.json");
const args = [pnpmScript(), "sbom", "--sbom-format", "cyclonedx", "--lockfile-only"];
const written = execFileSync(process.execPath, args, { cwd: root, maxBuffer: 64 * 1024 * 1024, timeout: 120_000 });
const bill = JSON.parse(written.toString());
const locked = new Set(readFileSync(`${root}/pnpm-lock.yaml`, "utf8").match(/^ {2}'?(@?[^\s@']+@[^\s:'(]+)/gm));
if (bill.bomFormat !== "CycloneDX" || bill.components.length === 0) throw new Error("pnpm wrote no bill of materials.");
writeFileSync(file, `${JSON.stringify(bill, null, 2)}\n`);
console.log(
  `${file}: ${bill.components.length} components (CycloneDX ${bill.specVersion}), ${locked.size} in the lock file.`,
);
