import { expect, test } from "@jest/globals";
import type { JobEventRow } from "@scribe/database";
import type { JobNotification } from "@scribe/queue";
import { openJobFeed } from "../src/streams/job-feed.ts";

const event = (ordinal: number, type = "segment") => ({ ordinal, type, data: {} }) as JobEventRow;

test("an event whose one notification came while the database was away is read once it is back", async () => {
  const rows = [event(1, "status")];
  let away = false;
  let tell: (notification: JobNotification) => void = () => undefined;
  const feed = openJobFeed(
    {
      async events(after, limit) {
        if (away) throw new Error("The database is away.");
        return rows.filter(({ ordinal }) => ordinal > after).slice(0, limit);
      },
      exists: async () => true,
      watch(listener) {
        tell = listener;
        return () => undefined;
      },
    },
    20,
  );
  expect(await feed.read(0)).toEqual([event(1, "status")]);
  expect(await feed.read(1)).toEqual([]);
  const seen = feed.version();
  away = true;
  rows.push(event(2, "done"));
  tell({ type: "events" });
  const changed = feed.changedSince(seen, AbortSignal.timeout(2_000)).then(() => feed.version());
  setTimeout(() => {
    away = false;
  }, 60);
  expect(await changed).toBeGreaterThan(seen);
  expect(await feed.read(1)).toEqual([event(2, "done")]);
  feed.close();
});
