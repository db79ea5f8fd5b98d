// Asks the registry for known holes in the locked packages: `npm run audit`. What is known and does not touch us is named
// in KNOWN, with the reason; anything else of level moderate or worse fails. A registry that has no such service (a
// mirror) is told, and fails only with AUDIT_REQUIRED=1.
import { spawnSync } from "node:child_process";
import { pnpmScript } from "./setup/choose-node.mjs";
import { root } from "./setup/places.mjs";

/** Advisory (GHSA-…) → why it does not touch us. */
const KNOWN = {};

const LEVELS = new Set(["moderate", "high", "critical"]);

const { stdout, stderr } = spawnSync(process.execPath, [pnpmScript(), "audit", "--json"], {
  ...{ cwd: root, encoding: "utf8", timeout: 120_000, maxBuffer: 64 * 1024 * 1024 },
});
const report = parse(stdout);
if (report?.advisories === undefined) {
  console.error(
    `The registry did not say which packages have known holes:\n${(stderr || stdout).trim().slice(0, 500)}`,
  );
  const noService = /ERR_PNPM_AUDIT|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(stderr + stdout);
  process.exit(noService && process.env.AUDIT_REQUIRED !== "1" ? 0 : 1);
}
const advisories = Object.values(report.advisories).filter(({ severity }) => LEVELS.has(severity));
const unknown = advisories.filter(({ github_advisory_id: id }) => !Object.hasOwn(KNOWN, id));
for (const { severity, module_name: name, title, url, github_advisory_id: id } of advisories) {
  console.log(
    `${severity.padEnd(8)} ${name}: ${title} (${url})${Object.hasOwn(KNOWN, id) ? ` — known: ${KNOWN[id]}` : ""}`,
  );
}
console.log(`${advisories.length} advisories of moderate or worse, ${unknown.length} of them not known here.`);
process.exit(unknown.length > 0 ? 1 : 0);

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
