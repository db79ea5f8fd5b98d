import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "./places.mjs";
import { say } from "./say.mjs";

const OLDEST = 5;

/** Says which ffmpeg and ffprobe jobs will use: the system's, else the static ones from npm, for trying out. */
export async function reportFfmpeg() {
  for (const tool of ["ffmpeg", "ffprobe"]) {
    const version = await versionOf(tool);
    const major = Number(version?.match(/^n?(\d+)\./)?.[1] ?? 0);
    if (major >= OLDEST) {
      say(`${tool}: the system's, ${version}.`);
      continue;
    }
    const found = version ? `the system's (${version}) is older than ${OLDEST}` : "the system has none";
    if (process.env.NODE_ENV === "production") {
      say(
        `${tool}: ${found}. With NODE_ENV=production the worker refuses to start: install ffmpeg ${OLDEST} or newer.`,
      );
    } else if (isBundled(tool)) {
      say(`${tool}: ${found}, so the static one from npm is used, which is old: for trying out only.`);
    } else {
      say(`${tool}: ${found}, and npm has none for this platform: install ffmpeg ${OLDEST} or newer.`);
    }
  }
}

function versionOf(tool) {
  return new Promise((done) => {
    execFile(tool, ["-version"], { timeout: 10_000 }, (error, output) => {
      done(error ? null : (output.match(/version (\S+)/)?.[1] ?? null));
    });
  });
}

function isBundled(tool) {
  try {
    const require = createRequire(join(root, "packages/media/package.json"));
    return existsSync(require(`@${tool}-installer/${tool}`).path);
  } catch {
    return false;
  }
}
