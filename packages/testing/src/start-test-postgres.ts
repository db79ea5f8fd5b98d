import { startThrowAwayPostgres, TEST_SERVERS } from "./test-servers.ts";

export type TestPostgres = { url: string; stop(): Promise<void> };

/**
 * The Postgres of this test run: one server for all files, without fsync; `stop` leaves it to the others. With `alone`,
 * and outside a test run, one for the caller alone, which `stop` ends and removes.
 */
export async function startTestPostgres(options: { alone?: boolean; fsync?: boolean } = {}): Promise<TestPostgres> {
  const servers = process.env[TEST_SERVERS];
  if (options.alone || options.fsync || !servers) return startThrowAwayPostgres({ fsync: options.fsync ?? false });
  // Asked on a connection of its own: one that is kept is closed while a test holds this thread for seconds.
  const headers = { connection: "close" };
  const response = await fetch(`${servers}/postgres`, { headers, signal: AbortSignal.timeout(90_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`The test run's Postgres did not start: ${text}`);
  return { url: text, stop: async () => {} };
}
