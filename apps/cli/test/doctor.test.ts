import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readConfig } from "@scribe/config";
import { type BlobStore, openStore } from "@scribe/storage";
import { startProcess } from "@scribe/testing";
import { lookAtAll } from "../src/doctor/examine.ts";
import { examineEngine, examineFfmpeg, examineGpu } from "../src/doctor/examine-engine.ts";
import { examineFolder, examineNode } from "../src/doctor/examine-machine.ts";
import {
  examineClock,
  examineConnections,
  examineDurability,
  examinePostgres,
} from "../src/doctor/examine-postgres.ts";
import { examineApi } from "../src/doctor/examine-reach.ts";
import { examineRedis } from "../src/doctor/examine-redis.ts";
import { examineStorage } from "../src/doctor/examine-storage.ts";
import { ok } from "../src/doctor/finding.ts";

const CLI = resolve(import.meta.dirname, "../src/main.ts");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "scribe-doctor-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const configOf = (env: Record<string, string> = {}) => readConfig({ SCRIBE_DATA_DIR: folder, ...env }).config;
const has = (text: string) => expect.stringContaining(text) as unknown as string;

test("a Node that is too old", () => {
  expect(examineNode()).toMatchObject({ state: "ok" });
  expect(examineNode("22.19.0")).toMatchObject({ state: "wrong", says: has("22.19.0"), mend: has("npm run setup") });
});

describe("the data folder", () => {
  test("can be written, and the disk has room", async () => {
    const findings = await examineFolder(configOf(), async () => 5 * 2 ** 30);
    expect(findings).toMatchObject([
      { about: "data folder", state: "ok" },
      { about: "disk", state: "ok" },
    ]);
  });

  test("may not be written", async () => {
    const place = join(folder, "file");
    writeFileSync(place, "");
    expect(await examineFolder(configOf({ SCRIBE_DATA_DIR: place }))).toMatchObject([
      { about: "data folder", state: "wrong", says: has(place), mend: has(`chown -R "$(id -u)" ${place}`) },
    ]);
  });

  test("is on a disk that is almost full", async () => {
    const [, disk] = await examineFolder(configOf(), async () => 5 * 2 ** 30 - 1);
    expect(disk).toMatchObject({ about: "disk", state: "warning", mend: has(`df -h ${folder}`) });
  });
});

describe("Postgres", () => {
  test("whose clock is another", () => {
    expect(examineClock(2)).toMatchObject({ state: "ok" });
    expect(examineClock(2.1)).toMatchObject({ about: "clock", state: "warning", mend: has("timedatectl") });
  });

  test("without room for a process's connections", () => {
    expect(examineConnections(11, 10)).toMatchObject({ state: "ok" });
    expect(examineConnections(10, 10)).toMatchObject({ state: "warning", mend: has("max_connections") });
  });

  test("that may forget what it has accepted", async () => {
    const says = (...names: string[]) => {
      const rows = names.map((name) => ({ name, setting: "off" }));
      return examineDurability({ pool: { query: async () => ({ rows }) } } as never);
    };
    expect(await says()).toEqual([]);
    expect(await says("synchronous_commit")).toMatchObject([
      { about: "durability", state: "warning", mend: has("ALTER SYSTEM RESET synchronous_commit") },
    ]);
  });

  test("that is embedded is not asked", async () => {
    expect(await examinePostgres(configOf())).toMatchObject([{ about: "Postgres", state: "ok" }]);
  });
});

test("a Redis that does not tell its policy", async () => {
  const mute = async (_url: string, commands: readonly (readonly string[])[]) => {
    if (commands[0]![0] === "INFO") throw new Error("NOPERM");
    return ["PONG"];
  };
  const config = configOf({ REDIS_URL: "redis://127.0.0.1:9" });
  expect(await examineRedis(config, mute)).toMatchObject([
    { about: "Redis", state: "ok" },
    { about: "eviction", state: "warning", says: "NOPERM", mend: has("config get maxmemory-policy") },
  ]);
  expect(await examineRedis(configOf())).toMatchObject([{ about: "Redis", state: "ok" }]);
});

describe("the storage", () => {
  test("that loses what it was given", async () => {
    const store = await openStore(configOf().data);
    const lossy = { ...store, backend: "s3", stat: async () => null } as BlobStore;
    expect(await examineStorage(configOf(), async () => lossy)).toMatchObject([
      { state: "wrong", says: has("not there"), mend: has("npm run storage:check -- --backend s3") },
    ]);
  });

  test("that may not be written, names its folder", async () => {
    const config = configOf({ AUDIO_STORAGE_PATH: "/dev/null/audio" });
    expect(await examineStorage(config)).toMatchObject([{ state: "wrong", mend: has('"$(id -u)" /dev/null/audio') }]);
  });
});

describe("the engine", () => {
  const program = (text: string) => {
    const path = join(folder, `smi-${Math.random()}`);
    writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return path;
  };

  test("without ffmpeg", async () => {
    expect(await examineFfmpeg(folder)).toMatchObject({ state: "wrong", mend: "apt-get install ffmpeg" });
  });

  test("on each GPU, without one, and without one that is wanted", async () => {
    const two = program("echo 'Tesla T4, 15000 MiB, 550.54'; echo 'Tesla T4, 9000 MiB, 550.54'");
    expect(await examineGpu(configOf(), two)).toMatchObject([
      { state: "ok", says: "Tesla T4, 15000 MiB, 550.54" },
      { state: "ok" },
    ]);
    const none = program("echo 'no driver' >&2; exit 9");
    expect(await examineGpu(configOf(), none)).toMatchObject([{ state: "ok" }]);
    const wanted = configOf({ EXECUTION_PROVIDERS: "cuda,cpu" });
    expect(await examineGpu(wanted, none)).toMatchObject([{ state: "wrong", mend: has("EXECUTION_PROVIDERS=cpu") }]);
  });

  const model = async (env: Record<string, string>) =>
    (await examineEngine(configOf(env))).find(({ about }) => about === "model");
  test("with the bundled model, with one that a worker fetches, and with none", async () => {
    expect(await model({})).toMatchObject({ state: "ok" });
    expect(await model({ SCRIBE_MODEL: "owner/name" })).toMatchObject({
      state: "warning",
      mend: "npm run models -- pull owner/name",
    });
    expect(await model({ SCRIBE_MODEL: "./nowhere" })).toMatchObject({
      state: "wrong",
      mend: has("npm run models -- list"),
    });
  });

  test("that an image leaves out is no fault", async () => {
    expect(await examineEngine(configOf(), async () => undefined)).toMatchObject([{ about: "engine", state: "ok" }]);
  });
});

test("an API behind something that answers for it", async () => {
  const server = createServer((_, response) => void response.writeHead(502).end());
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const findings = await examineApi(configOf({ PUBLIC_URL: url }));
  await new Promise((closed) => server.close(closed));
  expect(findings).toMatchObject([{ state: "warning", says: has("502"), mend: has(`curl -i ${url}/health`) }]);
});

test("a check that fails or hangs is told, and the next ones are made", async () => {
  const findings = await lookAtAll(
    [
      ["failing", async () => Promise.reject(new Error("broken"))],
      ["hanging", () => new Promise(() => {})],
      ["well", async () => [ok("well", "yes")]],
    ],
    50,
  );
  expect(findings).toMatchObject([
    { about: "failing", state: "wrong", says: "broken" },
    { about: "hanging", state: "wrong", says: "no answer in time" },
    { about: "well", state: "ok" },
  ]);
});

test("the command line starts where the engine is left out, as in the API's image", async () => {
  const hooks = join(folder, "without-engine.mjs");
  writeFileSync(
    hooks,
    `import { registerHooks } from "node:module";
     registerHooks({ resolve: (name, context, next) => {
       if (name === "@scribe/speech") throw Object.assign(new Error("no " + name), { code: "ERR_MODULE_NOT_FOUND" });
       return next(name, context);
     } });`,
  );
  const env = { SCRIBE_DATA_DIR: folder, NODE_OPTIONS: `--import ${hooks}` };
  const run = startProcess(CLI, env, { args: ["doctor", "--json"] });
  await run.exit;
  const { findings } = JSON.parse(run.stdout()) as { findings: { about: string; state: string }[] };
  expect(findings.find(({ about }) => about === "engine")).toMatchObject({ state: "ok" });
  expect(findings.at(-1)).toMatchObject({ about: "webhooks" });
}, 60_000);
