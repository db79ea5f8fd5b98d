import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { clusterByVbx } from "../../src/diarize/cluster/cluster-by-vbx.ts";
import { nearestSpeaker } from "../../src/diarize/cluster/cluster-embeddings.ts";
import { makePlda, readPlda } from "../../src/diarize/cluster/plda.ts";
import { readNpz } from "../../src/diarize/cluster/read-npz.ts";
import { seededRandom } from "../../src/diarize/gaussian/gaussian-mixture.ts";
import { givenEmbeddings } from "./given-embeddings.ts";

/** Written by numpy, one stored and one deflated: see make-plda.py there, which also computed what follows. */
const folder = join(import.meta.dirname, "plda");
const bytes = (name: string) => readFileSync(join(folder, name));
const vectors = [
  [-0.331290893, -0.840473168, 1.448731289, 0.5682131, 2.431732503, 0.641916379],
  [0.844992734, 0.840682876, -0.606611536, -0.070028447, 1.350388868, -0.396550765],
  [0.188799531, -0.02122346, 0.609216493, -0.364908742, -0.152361889, 0.242381429],
];
/** But for signs, which nothing depends on. */
const projected = [
  [0.591191, 0.45532, 0.77219, 1.180491],
  [3.935839, 2.007161, 2.231701, 2.397307],
  [5.187154, 1.373237, 2.221444, 2.720277],
];

describe("PLDA", () => {
  test("projects as the eigenproblem of its covariances does", async () => {
    const plda = await readPlda(folder);
    expect([...plda!.phi]).toEqual([7, 3, 1, 0.5]);
    vectors.forEach((vector, i) => {
      plda!.project(vector).forEach((value, d) => {
        expect(Math.abs(value)).toBeCloseTo(projected[i][d], 4);
      });
    });
  });

  test("is not there in a folder without its files", async () =>
    expect(await readPlda(join(import.meta.dirname, ".."))).toBeNull());

  test("of files that are no archives, or lack something, is refused", () => {
    expect(() => readNpz(Buffer.from("nothing of that kind"))).toThrow(/no numpy archive/);
    expect(() => readNpz(bytes("plda.npz").subarray(40))).toThrow(/PLDA file/);
    const [transform, model] = [readNpz(bytes("xvec_transform.npz")), readNpz(bytes("plda.npz"))];
    expect(() => makePlda(transform, transform)).toThrow(/lack mu/);
    const narrow = new Map(transform).set("mean2", { dims: [1], values: Float64Array.of(0) });
    expect(() => makePlda(narrow, model)).toThrow(/do not fit/);
  });
});

describe("clusters by VBx", () => {
  const random = seededRandom(5);
  const width = 6;
  const unit = (dims: number[], values: number[]) => ({ dims, values: Float64Array.from(values) });
  const identity = Array.from({ length: width ** 2 }, (_, at) => (Math.floor(at / width) === at % width ? 1 : 0));
  const zeros = new Array<number>(width).fill(0);
  const plda = makePlda(
    new Map([
      ["mean1", unit([width], zeros)],
      ["mean2", unit([width], zeros)],
      ["lda", unit([width, width], identity)],
    ]),
    new Map([
      ["mu", unit([width], zeros)],
      [
        "tr",
        unit(
          [width, width],
          identity.map((value) => 5 * value),
        ),
      ],
      ["psi", unit([width], new Array<number>(width).fill(20))],
    ]),
  );
  const voice = (speaker: number) =>
    Float32Array.from({ length: width }, (_, d) => (d === speaker ? 1 : 0) + 0.2 * (random() - 0.5));
  const embeddings = new Float32Array(60 * width);
  for (let i = 0; i < 60; i++) embeddings.set(voice(i % 3), i * width);

  test.each([
    [{ minSpeakers: 1, maxSpeakers: 50 }, 3],
    [{ minSpeakers: 2, maxSpeakers: 2 }, 2],
  ])("within %j are %i", (bounds, count) => {
    const centroids = clusterByVbx(plda)(givenEmbeddings(embeddings, width), bounds);
    expect(centroids.count).toBe(count);
    expect(new Set([0, 1, 2].map((speaker) => nearestSpeaker(voice(speaker), centroids))).size).toBe(count);
  });

  test("of one embedding is one", () => {
    expect(clusterByVbx(plda)(givenEmbeddings(voice(0), width), { minSpeakers: 1, maxSpeakers: 5 }).count).toBe(1);
  });
});
