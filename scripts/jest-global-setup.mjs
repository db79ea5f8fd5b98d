import { openTestServers } from "../packages/testing/src/index.ts";

/** What all files of a run share is owned by the one process that outlives them; it starts when first asked for. */
export default async function setUp() {
  const servers = await openTestServers();
  globalThis.closeTestServers = () => servers.close();
}
