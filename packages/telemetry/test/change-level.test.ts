import { expect, test } from "@jest/globals";
import { changeLevelBySignal, createLogger } from "../src/index.ts";

const raise = async () => {
  process.emit("SIGUSR2", "SIGUSR2");
};

test.each([
  ["info", "debug", "info"],
  ["debug", "info", "debug"],
  ["silent", "debug", "silent"],
])("from %s, SIGUSR2 leads to %s, and the next one back", async (level, first, second) => {
  const lines: string[] = [];
  const log = createLogger({
    level,
    format: "json",
    name: "test",
    destination: { write: (line) => void lines.push(line) },
  });
  const end = changeLevelBySignal(log);
  await raise();
  expect(log.level).toBe(first);
  await raise();
  expect(log.level).toBe(second);
  end();
  await raise();
  expect(log.level).toBe(second);
});
