import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { compileModel } from "../../src/compile/compile-model.ts";
import { CompiledModel } from "../../src/compile/compiled-model.ts";
import type { ModelFolder } from "../../src/model/read-model-folder.ts";
import type { EncodedAudio } from "../../src/sessions/whisper-model.ts";
import { randomModel } from "./fixture-model.ts";

/** Enough text for a list of candidates. */
const TEXT = 9000;
const ROWS = 5;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "shortlist-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A model whose tokens are chosen by a list, and the same with logits by a matrix of its own, which has none. */
async function openBoth(change: (embedding: Float32Array) => void = () => {}) {
  const open = async (name: string, ownLogits: boolean) => {
    mkdirSync(join(folder, name));
    const model = randomModel(join(folder, name), 3, {
      text: TEXT,
      change(tensors) {
        const embedding = tensors.get("model.decoder.embed_tokens.weight");
        if (!embedding) throw new Error("the model has no token embedding");
        change(embedding.values);
        if (ownLogits) tensors.set("proj_out.weight", embedding);
      },
    });
    const settings = { precision: "fp32", alignmentHeads: [], cacheFolder: join(folder, "graphs") } as const;
    const files = await compileModel(model, { modelHash: name, ...settings });
    const graph = readFileSync(files.decoder, "latin1");
    const sessions = { executionProviders: ["cpu"], intraOpThreads: 2 };
    return { model, graph, network: await CompiledModel.open(model, files, [], sessions) };
  };
  return { listed: await open("listed", false), full: await open("full", true) };
}

type Opened = { model: ModelFolder; network: CompiledModel };

/** What rows with prompts of different lengths say, the first token given: tokens and log probabilities. */
async function decode({ model, network }: Opened, allowed: (id: number) => boolean, rows = ROWS) {
  const { config, special, windowFrames } = model;
  const mel = Float32Array.from({ length: ROWS * config.num_mel_bins * windowFrames }, (_, i) => Math.sin(i * i));
  const audio: EncodedAudio = await network.encode(mel, ROWS);
  const suppress = Float32Array.from({ length: config.vocab_size }, (_, id) => (allowed(id) ? 0 : -Infinity));
  const batch = network.newBatch();
  const joining = Array.from({ length: rows }, (_, row) => {
    const prompt = [special.startOfPrevious, 5, 6, 7, 8].slice(0, row).concat(special.startOfTranscript);
    return { audio, row, prompt, logitsAt: [prompt.length - 1], timed: row % 2 === 0, suppress };
  });
  const joined = await batch.join(joining);
  for (const { row } of joined) batch.begin(row, row.timed ? special.firstTimestamp : 1);
  const said = await batch.advance(12);
  const logits = await batch.step();
  audio.release();
  return { joined: joined.map((one) => one.logits), said, logits };
}

const all = () => true;

type Said = Awaited<ReturnType<typeof decode>>;

const textsOf = ({ said }: Said) => new Set(said.flatMap(({ tokens }) => tokens).filter((id) => id < TEXT));

const near = ({ said }: Said) =>
  said.map(({ tokens, logProbabilities }) => ({
    tokens,
    logProbabilities: logProbabilities.map((one) => {
      expect(one).not.toBeNaN();
      // A random network doubts everything: most of the sum lies outside the list.
      return expect.closeTo(one, 2);
    }),
  }));

test("a list of candidates says what the whole matrix says, alone and in company", async () => {
  const { listed, full } = await openBoth();
  expect([listed, full].map(({ graph }) => graph.includes("GatherElements"))).toEqual([true, false]);
  const [short, whole] = [await decode(listed, all), await decode(full, all)];
  expect(textsOf(whole).size).toBeGreaterThan(3);
  expect(short.said).toEqual(near(whole));
  const alone = await decode(listed, all, 1);
  expect(alone.said[0].tokens).toEqual(short.said[0].tokens);
  expect([short.joined, short.logits]).toEqual([whole.joined, whole.logits]);
  await Promise.all([listed.network.close(), full.network.close()]);
});

test("where few tokens are allowed, one of them is chosen", async () => {
  const { listed, full } = await openBoth();
  const few = (id: number) => (id >= 100 && id < 110) || id === TEXT || id === TEXT + 23;
  const [short, whole] = [await decode(listed, few), await decode(full, few)];
  expect(textsOf(whole).size).toBeGreaterThan(0);
  expect([...textsOf(whole)].filter((id) => !few(id))).toEqual([]);
  expect(short.said).toEqual(near(whole));
  await Promise.all([listed.network.close(), full.network.close()]);
});

test("tokens too much alike for 8 bit are told apart by the whole matrix", async () => {
  const width = 32;
  // The differences lie far below a step of 8 bit: a list would hold any of them.
  const alike = (embedding: Float32Array) => {
    for (let i = width; i < TEXT * width; i++) embedding[i] = embedding[i % width] + 1e-4 * embedding[i];
  };
  const { listed, full } = await openBoth(alike);
  const [short, whole] = [await decode(listed, all), await decode(full, all)];
  expect(textsOf(whole).size).toBeGreaterThan(1);
  expect(short.said).toEqual(whole.said);
  await Promise.all([listed.network.close(), full.network.close()]);
});
