import type { Dispatcher } from "@scribe/queue";
import type { Role } from "./role.ts";

/** Looks for what was left behind: rows that are due, messages that were lost, leases that ran out. */
export function startMaintenance(dispatcher: Dispatcher): Role {
  dispatcher.start();
  return {
    name: "maintenance",
    drain: async () => {},
    abort: () => {},
    close: () => dispatcher.stop(),
  };
}
