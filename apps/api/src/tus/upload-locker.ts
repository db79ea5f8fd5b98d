import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Database, releaseUploadLock, renewUploadLock, takeUploadLock, wantUploadLock } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import type { Locker } from "@tus/server";

const RENEW_MS = 500;
const ASK_AGAIN_MS = 100;
/** Long enough for a writer elsewhere to hear that it is to let go, and to keep what it has. */
const PATIENCE_MS = 10_000;
/** A second writer at the same moment is told so. */
const WRITER_PATIENCE_MS = 500;

export interface LockerOptions {
  db: Database;
  /** To begin anew where a connection broke: whoever still writes on the old one is asked to let go. */
  takesOver: boolean;
  /** What was written is stored before the lock is given back. */
  settled: () => Promise<void>;
}

/** Locks of uploads that hold across replicas: rows in Postgres, renewed while they are held. */
export function createUploadLocker({ db, takesOver, settled }: LockerOptions): Locker {
  return {
    newLock(id) {
      const token = randomUUID();
      let renewing: NodeJS.Timeout | undefined;
      return {
        async lock(signal, letGo) {
          const deadline = Date.now() + (takesOver ? PATIENCE_MS : WRITER_PATIENCE_MS);
          while (!(await takeUploadLock(db, id, token))) {
            if (takesOver) await wantUploadLock(db, id);
            if (Date.now() > deadline || signal.aborted) {
              throw new RequestError("conflict", "This upload is being written by another request.", { status: 423 });
            }
            await sleep(ASK_AGAIN_MS);
          }
          renewing = setInterval(() => {
            renewUploadLock(db, id, token).then(
              (state) => (state === "let go" ? letGo() : undefined),
              () => letGo(),
            );
          }, RENEW_MS).unref();
        },
        async unlock() {
          await settled();
          clearInterval(renewing);
          await releaseUploadLock(db, id, token);
        },
      };
    },
  };
}
