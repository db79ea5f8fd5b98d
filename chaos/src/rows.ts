import type { Row } from "./row.ts";
import { killWorkers } from "./rows/01-kill-workers.ts";
import { pauseWorkers } from "./rows/02-pause-workers.ts";
import { loseRedis } from "./rows/03-lose-redis.ts";
import { killPostgres } from "./rows/04-kill-postgres.ts";
import { crashAtSteps } from "./rows/05-crash-at-steps.ts";
import { breakStorage } from "./rows/06-break-storage.ts";
import { badReceivers } from "./rows/07-bad-receivers.ts";
import { cancelAnywhere } from "./rows/08-cancel.ts";
import { stateMachine } from "./rows/09-state-machine.ts";
import { equalPosts } from "./rows/10-equal-posts.ts";
import { wrongClocks } from "./rows/11-wrong-clocks.ts";
import { killEverything } from "./rows/12-kill-everything.ts";

/** The table, in its order. */
export const ROWS: readonly Row[] = [
  killWorkers,
  pauseWorkers,
  loseRedis,
  killPostgres,
  crashAtSteps,
  breakStorage,
  badReceivers,
  cancelAnywhere,
  stateMachine,
  equalPosts,
  wrongClocks,
  killEverything,
];
