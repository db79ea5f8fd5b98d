import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readConfig } from "@scribe/config";
import { type HubStandIn, startHubStandIn } from "@scribe/testing";
import { generateEmbedding, generateSegmentation } from "../../../packages/speech/test/diarize/generated-networks.ts";
import { createFindSpeakers } from "../src/engines/find-speakers.ts";
import { log } from "./worker-box.ts";

let hub: HubStandIn;
let closing: AbortController;
let folder: string;
let pcmPath: string;
beforeEach(async () => {
  closing = new AbortController();
  hub = await startHubStandIn();
  folder = await mkdtemp(join(tmpdir(), "scribe-networks-"));
  pcmPath = join(folder, "talk.pcm");
  // The generated network hears one speaker where the samples' mean is 0.1.
  await writeFile(
    pcmPath,
    new Uint8Array(Int16Array.from({ length: 160_000 }, (_, i) => (i < 80_000 ? 3277 : 0)).buffer),
  );
  hub.add("acme/segmentation", { "onnx/model.onnx": Buffer.from(generateSegmentation()), "README.md": "not needed" });
  let seed = 1;
  const random = () => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  hub.add("acme/embedding", { "model.onnx": Buffer.from(generateEmbedding(random, 125)) });
});
afterEach(async () => {
  closing.abort();
  await hub.stop();
  await rm(folder, { recursive: true, force: true });
});

function finder(more: Record<string, string> = {}) {
  const { config } = readConfig({
    HF_ENDPOINT: hub.url,
    HF_HOME: join(folder, "nobody's"),
    SCRIBE_MODEL_DIR: join(folder, "models"),
    DIARIZATION_SEGMENTATION_MODEL: "acme/segmentation",
    DIARIZATION_EMBEDDING_MODEL: "acme/embedding",
    ...more,
  });
  return createFindSpeakers(config, ["cpu"], { log, closing: closing.signal });
}
const options = (signal = new AbortController().signal) => ({ signal, onProgress: () => {} });

test("networks of the hub are fetched once for all that ask", async () => {
  const find = finder();
  const found = await Promise.all([find({ pcmPath }, options()), find({ pcmPath }, options())]);
  for (const { method, speakers } of found) expect([method, speakers]).toEqual(["pyannote-3.1", ["SPEAKER_00"]]);
  const fetched = hub.requests.filter(({ path }) => path.includes("/resolve/")).map(({ path }) => path);
  expect(fetched.length).toBe(2);
  expect(fetched.join()).not.toContain("README");
}, 60_000);

test("a hub that has no such model fails this question, and is asked again by the next", async () => {
  const find = finder({ DIARIZATION_EMBEDDING_MODEL: "acme/later" });
  await expect(find({ pcmPath }, options())).rejects.toThrow();
  hub.add("acme/later", { "model.onnx": Buffer.from(generateEmbedding(() => 0.7, 125)) });
  expect((await find({ pcmPath }, options())).method).toBe("pyannote-3.1");
}, 60_000);

test("a repository without a network is told as such", async () => {
  hub.add("acme/weights", { "pytorch_model.bin": "weights", "config.yaml": "" });
  const find = finder({ DIARIZATION_SEGMENTATION_MODEL: "acme/weights" });
  await expect(find({ pcmPath }, options())).rejects.toThrow(/none of: onnx\/model\.onnx, model\.onnx/);
});

test("who stops asking does not wait for the hub", async () => {
  hub.fail(/segmentation/, "hang");
  const stop = new AbortController();
  const asking = finder()({ pcmPath }, options(stop.signal));
  setTimeout(() => stop.abort(new Error("cancelled")), 200);
  await expect(asking).rejects.toThrow("cancelled");
});
