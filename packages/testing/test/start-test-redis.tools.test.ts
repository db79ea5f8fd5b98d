import { connect } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { startTestRedis, type TestRedis } from "../src/index.ts";

let redis: TestRedis | undefined;
afterEach(() => redis?.stop());

const send = (command: string, timeoutMs = 2_000) =>
  new Promise<string>((done, failed) => {
    const socket = connect(redis!.port, "127.0.0.1", () => socket.write(`${command}\r\n`));
    socket.once("data", (data) => {
      socket.destroy();
      done(data.toString().trim());
    });
    socket.once("error", failed);
    socket.setTimeout(timeoutMs, () => {
      socket.destroy();
      failed(new Error("no answer"));
    });
  });

test("with aof, what was written survives a crash", async () => {
  redis = await startTestRedis({ persistence: "aof" });
  expect(await send("SET a 1")).toBe("+OK");
  await redis.kill();
  await expect(send("PING")).rejects.toThrow("ECONNREFUSED");
  await redis.restart();
  expect(await send("GET a")).toContain("1");
});

test("without persistence a restart forgets", async () => {
  redis = await startTestRedis();
  await send("SET a 1");
  await redis.restart();
  expect(await send("GET a")).toBe("$-1");
});

test("paused, it keeps connections and does not answer", async () => {
  redis = await startTestRedis();
  redis.pause();
  await expect(send("PING", 100)).rejects.toThrow("no answer");
  redis.resume();
  expect(await send("PING")).toBe("+PONG");
});

test("one that cannot start says why", async () => {
  await expect(startTestRedis({ config: { "maxmemory-policy": "no-such-policy" } })).rejects.toThrow(/no-such-policy/);
});
