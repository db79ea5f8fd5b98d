import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type HubStandIn, startHubStandIn } from "@scribe/testing";
import { chooseFiles } from "../src/hub/choose-files.ts";
import { fetchModel } from "../src/hub/fetch-model.ts";
import type { Hub } from "../src/hub/hub.ts";
import { listCached, removeCached } from "../src/hub/hub-cache.ts";
import { modelName, parseModelId } from "../src/hub/model-id.ts";
import { withLock } from "../src/hub/with-lock.ts";

const ID = { repo: "acme/whisper-mini", revision: "main" };
const ENCODER = Buffer.alloc(300_000, "encoder ");
const DECODER = Buffer.alloc(500_000, "decoder ");
const FILES = {
  "config.json": JSON.stringify({ model_type: "whisper" }),
  "preprocessor_config.json": "{}",
  "tokenizer.json": '{"model":{}}',
  "README.md": "not needed",
  "onnx/encoder_model.onnx": ENCODER,
  "onnx/decoder_model_merged.onnx": DECODER,
  "onnx/decoder_model_merged_quantized.onnx": "smaller",
};

const BYTES =
  ENCODER.length + DECODER.length + FILES["config.json"].length + FILES["tokenizer.json"].length + "{}".length;

let server: HubStandIn;
let hub: Hub;
let folder: string;
let commit: string;

beforeEach(async () => {
  server = await startHubStandIn();
  commit = server.add(ID.repo, FILES);
  folder = await mkdtemp(join(tmpdir(), "scribe-hub-"));
  hub = { endpoint: server.url, cacheFolder: folder, silenceMs: 15_000, tries: 4 };
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const fetched = () => server.requests.filter(({ path }) => path.includes("/resolve/") || path.startsWith("/blobs/"));
/** Bytes are compared as such: a matcher would go through them one by one. */
const hasDecoder = async (place: string) =>
  (await readFile(join(place, "onnx/decoder_model_merged.onnx"))).equals(DECODER);

describe("a model of the hub", () => {
  test("is fetched into the layout of the hub's own cache, without what is not needed", async () => {
    const progress: number[] = [];
    const place = await fetchModel(ID, { hub, onProgress: ({ bytes }) => progress.push(bytes) });
    expect(place).toBe(join(folder, "models--acme--whisper-mini", "snapshots", commit));
    expect(await hasDecoder(place)).toBe(true);
    expect((await readdir(place, { recursive: true })).sort()).toEqual([
      ...["config.json", "onnx", "onnx/decoder_model_merged.onnx", "onnx/encoder_model.onnx"],
      ...["preprocessor_config.json", "tokenizer.json"],
    ]);
    expect(await readlink(join(place, "onnx/encoder_model.onnx"))).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(await readFile(join(folder, "models--acme--whisper-mini/refs/main"), "utf8")).toBe(commit);
    expect(progress.toSorted((a, b) => a - b)).toEqual(progress);
    expect(progress.at(-1)).toBe(BYTES);
    const before = server.requests.length;
    expect(await fetchModel(ID, { hub })).toBe(place);
    expect(await fetchModel({ ...ID, revision: commit }, { hub })).toBe(place);
    expect(server.requests.length).toBe(before);
  });

  test("the token goes to the hub, and to no host that it redirects to", async () => {
    server.token = "hf_secret";
    await fetchModel(ID, { hub: { ...hub, token: "hf_secret" } });
    const seen = server.requests.map(({ host, authorization }) => `${host} ${authorization}`);
    expect([...new Set(seen)].sort()).toEqual(["cdn undefined", "hub Bearer hf_secret"]);
  });

  test("a cut connection goes on where it was cut", async () => {
    server.fail(/^\/blobs\//, "cut", 2);
    expect(await hasDecoder(await fetchModel(ID, { hub }))).toBe(true);
    expect(server.requests.filter(({ range }) => range !== undefined).map(({ range }) => range)).toContain(
      `bytes=${ENCODER.length / 2}-`,
    );
    expect(server.bytesSent).toBeLessThan(ENCODER.length + DECODER.length + 1000);
  });

  test("a fetch that was given up goes on with the next one", async () => {
    server.fail(/^\/blobs\//, "stall");
    const gaveUp = fetchModel(ID, { hub: { ...hub, silenceMs: 20_000 }, signal: AbortSignal.timeout(300) });
    await expect(gaveUp).rejects.toMatchObject({ name: "TimeoutError" });
    expect(await hasDecoder(await fetchModel(ID, { hub }))).toBe(true);
    expect(server.bytesSent).toBeLessThan(ENCODER.length + DECODER.length + 1000);
  });

  test.each(["stall", "hang", "no-ranges", "other-range", "garble", "short", "long"] as const)(
    "an answer that goes wrong (%s) is made good",
    async (fault) => {
      server.fail(/^\/blobs\//, "cut");
      server.fail(/^\/blobs\//, fault);
      const silenceMs = fault === "stall" || fault === "hang" ? 1000 : 15_000;
      expect(await hasDecoder(await fetchModel(ID, { hub: { ...hub, silenceMs } }))).toBe(true);
    },
  );

  test.each(["garble", "short", "long"] as const)(
    "a hub that always lies (%s) ends in an error, and leaves no file",
    async (fault) => {
      server.fail(/^\/blobs\//, fault, 100);
      await expect(fetchModel(ID, { hub: { ...hub, tries: 2 } })).rejects.toMatchObject({ code: "model_unavailable" });
      const blobs = await readdir(join(folder, "models--acme--whisper-mini/blobs"));
      expect(blobs.filter((name) => name.length === 64)).toEqual([]);
      expect(await listCached(folder)).toEqual([]);
    },
  );

  test("a small file whose content is another is an error", async () => {
    server.fail(/tokenizer\.json/, "garble", 100);
    await expect(fetchModel(ID, { hub })).rejects.toMatchObject({ reason: "damaged" });
  });

  test("what the hub says for a moment is waited for, as long as it asks", async () => {
    server.fail(/^\/api/, { status: 503 }, 2);
    server.fail(/^\/blobs/, { status: 429, headers: { "retry-after": "1" } });
    const begun = Date.now();
    await fetchModel(ID, { hub });
    expect(Date.now() - begun).toBeGreaterThan(1000);
  });

  test("what the hub says for good is told at once, with what to do", async () => {
    await expect(fetchModel({ ...ID, repo: "acme/none" }, { hub })).rejects.toMatchObject({ reason: "not_found" });
    await expect(fetchModel({ ...ID, revision: "v9" }, { hub })).rejects.toMatchObject({ reason: "not_found" });
    server.token = "hf_secret";
    await expect(fetchModel(ID, { hub })).rejects.toThrow(/\(401\).*set HF_TOKEN/);
    const wrong = fetchModel(ID, { hub: { ...hub, token: "hf_wrong" } });
    await expect(wrong).rejects.toThrow("HF_TOKEN does not open it");
    await expect(wrong).rejects.not.toThrow("hf_wrong");
    server.token = undefined;
    server.fail(/^\/api/, { status: 403 });
    await expect(fetchModel(ID, { hub })).rejects.toMatchObject({ reason: "refused" });
    expect(server.requests).toHaveLength(5);
  });

  test("a hub that is away is told as such, after some tries", async () => {
    server.fail(/^\/api/, { status: 503 }, 100);
    await expect(fetchModel(ID, { hub: { ...hub, tries: 2 } })).rejects.toMatchObject({ reason: "unreachable" });
    const nobody = { ...hub, endpoint: "http://127.0.0.1:9", tries: 2 };
    await expect(fetchModel(ID, { hub: nobody })).rejects.toThrow(/ECONNREFUSED|bad port/);
    server.fail(/^\/acme/, "hang", 100);
    await expect(
      fetchModel(ID, { hub: { ...hub, endpoint: `${server.url}/acme`, silenceMs: 400, tries: 1 } }),
    ).rejects.toThrow("no answer for 400 ms");
  });

  test("redirects without end, and to what is no web address, are refused", async () => {
    server.fail(/resolve/, { redirect: "file:///etc/passwd" });
    await expect(fetchModel(ID, { hub })).rejects.toThrow("redirects to where it must not");
    server.fail(/./, { redirect: "/again" }, 100);
    await expect(fetchModel(ID, { hub })).rejects.toThrow("without end");
  });

  test("an answer that is none is refused, and names that lead elsewhere are none of a model's", async () => {
    server.add("acme/odd", { ...FILES, "../../evil.json": "{}", "onnx/../../x": "x" });
    const place = await fetchModel({ repo: "acme/odd", revision: "main" }, { hub });
    expect(await readdir(place)).not.toContain("evil.json");
    server.fail(/^\/api/, { redirect: `${server.url}/acme/whisper-mini/resolve/${commit}/README.md` });
    await expect(fetchModel({ ...ID, revision: commit }, { hub })).rejects.toMatchObject({ reason: "damaged" });
  });

  test("what is no Whisper is found out before its weights are fetched", async () => {
    server.add("acme/bert", { ...FILES, "config.json": JSON.stringify({ model_type: "bert" }) });
    await expect(fetchModel({ repo: "acme/bert", revision: "main" }, { hub })).rejects.toMatchObject({
      code: "invalid_model",
      message: "the model is a bert, not a Whisper",
    });
    expect(fetched()).toHaveLength(1);
  });

  test("offline, what is here is used and nothing is asked", async () => {
    const offline = { ...hub, offline: true };
    await expect(fetchModel(ID, { hub: offline })).rejects.toThrow("HF_HUB_OFFLINE");
    const place = await fetchModel(ID, { hub });
    const before = server.requests.length;
    expect(await fetchModel(ID, { hub: offline, refresh: true })).toBe(place);
    expect(server.requests.length).toBe(before);
  });

  test("a refresh fetches what the revision stands for by now, and only what is new", async () => {
    await fetchModel(ID, { hub });
    const next = server.add(ID.repo, { ...FILES, "tokenizer.json": '{"new":1}' });
    expect(await fetchModel(ID, { hub })).toContain(commit);
    const before = fetched().length;
    expect(await fetchModel(ID, { hub, refresh: true })).toContain(next);
    expect(
      fetched()
        .slice(before)
        .map(({ path }) => path),
    ).toEqual([expect.stringMatching(/tokenizer\.json$/)]);
  });

  test("what another program fetched into its cache is used, and not written to", async () => {
    const other = await mkdtemp(join(tmpdir(), "scribe-other-cache-"));
    const root = join(other, "models--acme--whisper-mini");
    const snapshot = join(root, "snapshots", commit);
    await mkdir(join(snapshot, "onnx"), { recursive: true });
    await mkdir(join(root, "blobs"));
    await mkdir(join(root, "refs"));
    await writeFile(join(root, "refs/main"), commit);
    for (const [name, bytes] of Object.entries(FILES)) {
      const blob = `b${name.length}`;
      await writeFile(join(root, "blobs", blob), bytes);
      await symlink(join(name.includes("/") ? "../../../blobs" : "../../blobs", blob), join(snapshot, name));
    }
    expect(await fetchModel(ID, { hub: { ...hub, alsoLookIn: [other] } })).toBe(snapshot);
    expect(server.requests).toEqual([]);
    await rm(join(root, "blobs", `b${"config.json".length}`));
    expect(await fetchModel(ID, { hub: { ...hub, alsoLookIn: [other] } })).toContain(folder);
    await rm(other, { recursive: true, force: true });
  });

  test("two processes that ask at once fetch once, and both get it", async () => {
    server.fail(/^\/blobs\//, "cut");
    const run = () => {
      const entry = join(import.meta.dirname, "fetch-model-process.ts");
      const env = { ...process.env, HUB: JSON.stringify({ hub: { ...hub, silenceMs: 10_000 }, id: ID }) };
      const child = spawn(process.execPath, [entry], { env, stdio: ["ignore", "pipe", "inherit"] });
      return Promise.all([text(child.stdout), once(child, "exit")]);
    };
    const outcomes = await Promise.all([run(), run()]);
    for (const [out, [code]] of outcomes) {
      expect(code).toBe(0);
      expect(await hasDecoder(out.trim())).toBe(true);
    }
    expect(server.bytesSent).toBeLessThan(ENCODER.length + DECODER.length + 1000);
    expect(server.requests.filter(({ path }) => path.startsWith("/api/"))).toHaveLength(1);
  });
});

describe("the cache", () => {
  test("lists what is here whole, and removes it", async () => {
    await fetchModel(ID, { hub });
    expect(await listCached(folder)).toEqual([
      {
        ...{ repo: ID.repo, revisions: ["main"], commit },
        folder: join(folder, "models--acme--whisper-mini", "snapshots", commit),
        bytes: BYTES,
      },
    ]);
    expect(await removeCached(folder, ID.repo)).toBe(true);
    expect(await removeCached(folder, ID.repo)).toBe(false);
    expect(await listCached(folder)).toEqual([]);
    expect(await listCached(join(folder, "nowhere"))).toEqual([]);
  });
});

describe("the lock", () => {
  const held = (owner: object) => writeFile(join(folder, "lock"), JSON.stringify(owner));
  const take = (signal?: AbortSignal) => withLock(join(folder, "lock"), async () => "mine", { signal });

  test("of a process that died is taken over; of one that lives, and of one elsewhere, it is waited for", async () => {
    const { hostname } = await import("node:os");
    await held({ host: hostname(), pid: 2 ** 22 + 1 });
    expect(await take()).toBe("mine");
    expect(existsSync(join(folder, "lock"))).toBe(false);
    await held({ host: hostname(), pid: process.pid });
    await expect(take(AbortSignal.timeout(500))).rejects.toMatchObject({ name: "TimeoutError" });
    await held({ host: "elsewhere", pid: 1 });
    await expect(take(AbortSignal.timeout(500))).rejects.toMatchObject({ name: "TimeoutError" });
    const longAgo = Date.now() / 1000 - 60;
    await utimes(join(folder, "lock"), longAgo, longAgo);
    expect(await take()).toBe("mine");
  });

  test("lets one at a time in, and goes with an error", async () => {
    let inside = 0;
    const work = async () => {
      expect(++inside).toBe(1);
      await new Promise((done) => setTimeout(done, 20));
      inside -= 1;
      throw new Error("failed");
    };
    const path = join(folder, "deeper", "lock");
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => withLock(path, work)));
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  });
});

test("ids of the hub are told from folders and bundled names", () => {
  expect(parseModelId("openai/whisper-tiny")).toEqual({ repo: "openai/whisper-tiny", revision: "main" });
  expect(parseModelId("openai/whisper-tiny@v1.0")).toEqual({ repo: "openai/whisper-tiny", revision: "v1.0" });
  expect(parseModelId("openai/whisper-tiny@refs/pr/3")).toEqual({ repo: "openai/whisper-tiny", revision: "refs/pr/3" });
  for (const text of ["whisper-nano.en", "/models/x", "./models/x", "a/b/c", "../x", "a/..", "a/b@", "a/b@../c", ""]) {
    expect(parseModelId(text)).toBeNull();
  }
  expect(modelName("openai/whisper-tiny@v1")).toBe("whisper-tiny");
  expect(modelName("/srv/models/mine/")).toBe("mine");
  expect(modelName("whisper-nano.en")).toBe("whisper-nano.en");
});

describe("of a model's files", () => {
  const basics = ["config.json", "preprocessor_config.json", "vocab.json"];

  test("the wanted weights are chosen, with what lies beside them, last", () => {
    const names = [
      ...["model.safetensors", "onnx/encoder_model.onnx", "onnx/encoder_model.onnx_data"],
      ...[
        "onnx/decoder_model_merged.onnx",
        "onnx/encoder_model_q4.onnx",
        "onnx/decoder_model_merged_q4.onnx",
        ...basics,
      ],
    ];
    expect(chooseFiles(names)).toEqual([...basics, "model.safetensors"]);
    expect(chooseFiles(names, { prefer: "onnx" })).toEqual([
      ...[...basics, "onnx/encoder_model.onnx_data", "onnx/encoder_model.onnx", "onnx/decoder_model_merged.onnx"],
    ]);
    expect(chooseFiles(names, { weights: "safetensors" })).toEqual([...basics, "model.safetensors"]);
    expect(chooseFiles(names, { variant: "_q4" })).toContain("onnx/decoder_model_merged_q4.onnx");
    expect(() => chooseFiles(names, { weights: "onnx", variant: "_q8" })).toThrow("no weights");
    // Where nothing else is there, a smaller export is better than none.
    const small = names.filter((name) => !/_model(_merged)?\.onnx|safetensors/.test(name));
    expect(chooseFiles(small).slice(-2)).toEqual(["onnx/encoder_model_q4.onnx", "onnx/decoder_model_merged_q4.onnx"]);
  });

  test("weights in parts come with their index", () => {
    const parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    expect(chooseFiles([...basics, ...parts, "model.safetensors.index.json"]).slice(3)).toEqual([
      ...[...parts, "model.safetensors.index.json"],
    ]);
    expect(() => chooseFiles([...basics, ...parts])).toThrow("no weights");
    expect(() => chooseFiles(["config.json"])).toThrow("preprocessor_config.json");
    expect(() => chooseFiles(["config.json", "preprocessor_config.json"])).toThrow("no tokenizer");
  });
});
