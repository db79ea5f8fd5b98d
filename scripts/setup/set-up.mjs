import { checkPlatform, ensureToolchain, toolchainIsReady } from "./choose-node.mjs";
import { ensureClient } from "./ensure-client.mjs";
import { ensurePackages } from "./ensure-packages.mjs";
import { preparePostgres } from "./prepare-postgres.mjs";
import { reportFfmpeg } from "./report-ffmpeg.mjs";
import { say } from "./say.mjs";
import { withLock } from "./with-lock.mjs";

/**
 * Brings the clone into a state in which every task runs: Node 24, pnpm, the packages, the database client, the embedded
 * Postgres. Where all of that is as it was, it costs some reads; after the first time it needs no network.
 */
export async function setUp({ report }) {
  checkPlatform();
  if (!isReady()) {
    await withLock(async () => {
      const started = performance.now();
      // Another set-up may have done it while this one waited.
      if (isReady()) return;
      await ensureToolchain();
      const renewed = await ensurePackages();
      await ensureClient();
      if (renewed) await preparePostgres();
      say(`Set up in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
    });
  }
  if (report) {
    await reportFfmpeg();
    say("Ready: `npm run demo` shows it at work, `npm start` keeps it up.");
  }
}

function isReady() {
  return toolchainIsReady() && ensurePackages.isReady() && ensureClient.isReady();
}
