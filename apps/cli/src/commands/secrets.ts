import { audit, rotateSecrets } from "@scribe/database";
import type { Command } from "commander";
import { withReach } from "./command-database.ts";

const HELP = `
How to change the key that secrets at rest are encrypted with, while the service runs:
  1. make a key:          openssl rand -base64 32
  2. set it everywhere as SCRIBE_ENCRYPTION_KEY, and the key before as SCRIBE_ENCRYPTION_KEY_BEFORE; restart
  3. encrypt anew:        npm run scribe -- secrets rotate
  4. take SCRIBE_ENCRYPTION_KEY_BEFORE away; restart`;

export function secretsCommand(program: Command): void {
  const secrets = program.command("secrets").description("secrets at rest").addHelpText("after", HELP);
  secrets
    .command("rotate")
    .description("encrypt what SCRIBE_ENCRYPTION_KEY_BEFORE encrypted with SCRIBE_ENCRYPTION_KEY; may run again")
    .action(async (_options, command: Command) => {
      const count = await withReach(async (reach) => {
        const db = reach.open();
        try {
          const done = await rotateSecrets(db, reach.encryptionKey);
          await audit(db, { actor: "cli", action: "secrets.rotated", detail: done });
          return done;
        } finally {
          await db.close();
        }
      });
      if (command.optsWithGlobals().json) return console.log(JSON.stringify(count));
      console.log(`${count.rotated} of ${count.checked} stored secrets were encrypted anew; the others were already.`);
    });
}
