import { describeMainPath } from "./smoke-suite.ts";

describeMainPath("with what comes along: embedded Postgres, queues in it", async () => ({
  env: {},
  stop: async () => {},
}));
