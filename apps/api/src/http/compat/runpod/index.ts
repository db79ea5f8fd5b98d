import type { Route } from "../../../openapi/route.ts";
import { runpodHealth, runpodPurgeQueue } from "./queue.ts";
import { runpodRun, runpodRunSync } from "./run.ts";
import { runpodCancel, runpodGetStatus, runpodStatusSync } from "./status.ts";
import { runpodStream } from "./stream.ts";

export const runpodRoutes: readonly Route[] = [
  ...[runpodRun, runpodRunSync, runpodGetStatus, runpodStatusSync, runpodStream],
  ...[runpodCancel, runpodPurgeQueue, runpodHealth],
];
