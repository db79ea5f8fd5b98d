import { describe, expect, test } from "@jest/globals";
import { StateDecoder } from "../../src/diarize/gaussian/decode-states.ts";
import { diarizeByGaussians } from "../../src/diarize/gaussian/diarize-by-gaussians.ts";
import { findChanges, type Piece } from "../../src/diarize/gaussian/find-changes.ts";
import { findCopies } from "../../src/diarize/gaussian/find-copies.ts";
import { FrameStatistics } from "../../src/diarize/gaussian/frame-statistics.ts";
import { seededRandom, trainMixture } from "../../src/diarize/gaussian/gaussian-mixture.ts";
import { joinAlike } from "../../src/diarize/gaussian/join-alike.ts";
import { mergeSpeakers } from "../../src/diarize/gaussian/merge-speakers.ts";
import { SpeechFrames } from "../../src/diarize/gaussian/speech-frames.ts";
import { orderTurns } from "../../src/diarize/turns.ts";
import { sourceOf, voices } from "./voices.ts";

const never = new AbortController().signal;

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** `[frames, 2]` about a centre. */
function cloud(frames: number, centre: readonly [number, number], random: () => number): Float32Array {
  return Float32Array.from({ length: frames * 2 }, (_, i) => centre[i % 2] + normal(random));
}

describe("the likeliest sequence of states", () => {
  /** Every sequence whose visits last long enough, the last one excepted. */
  function bestByTrying(scores: Float32Array, states: number, minimum: number, changeCost: number): number {
    const frames = scores.length / states;
    let best = Number.NEGATIVE_INFINITY;
    for (let code = 0; code < states ** frames; code++) {
      const path = Array.from({ length: frames }, (_, t) => Math.floor(code / states ** t) % states);
      let score = 0;
      let since = 0;
      let allowed = true;
      path.forEach((state, t) => {
        if (t > 0 && state !== path[t - 1]) {
          if (t - since < minimum) allowed = false;
          since = t;
          score -= changeCost;
        }
        score += scores[t * states + state];
      });
      if (allowed) best = Math.max(best, score);
    }
    return best;
  }

  test.each([1, 2, 3])("is as good as the best of all, with visits of at least %i frames", (minimum) => {
    const random = seededRandom(minimum);
    const decoder = new StateDecoder({ states: 2, minimumFrames: minimum, changeCost: 0.5 });
    for (let round = 0; round < 20; round++) {
      const scores = Float32Array.from({ length: 9 * 2 }, () => normal(random));
      const path = decoder.decode(scores);
      let score = 0;
      path.forEach((state, t) => {
        score += scores[t * 2 + state] - (t > 0 && path[t - 1] !== state ? 0.5 : 0);
      });
      expect(score).toBeCloseTo(bestByTrying(scores, 2, minimum, 0.5), 5);
    }
  });

  test("of nothing is nothing", () => {
    const decoder = new StateDecoder({ states: 3, minimumFrames: 10, changeCost: 1 });
    expect(decoder.decode(new Float32Array(0))).toHaveLength(0);
  });
});

test("a mixture finds the clouds that the frames came from", () => {
  const random = seededRandom(3);
  const frames = new Float32Array(1200);
  frames.set(cloud(200, [0, 0], random));
  frames.set(cloud(400, [20, -10], random), 400);
  const { weights, means } = trainMixture(frames, 2, { components: 2, iterations: 10, seed: 1 });
  const near = means[0] < 10 ? 0 : 1;
  expect(weights[near]).toBeCloseTo(1 / 3, 2);
  expect(means[near * 2]).toBeCloseTo(0, 0);
  expect(means[(1 - near) * 2]).toBeCloseTo(20, 0);
  expect(means[(1 - near) * 2 + 1]).toBeCloseTo(-10, 0);
});

test("the ratio of two Gaussians' likelihoods is what their formula says", () => {
  // One dimension: n/2 ln(variance) of both, less that of each; 0.3 is added to every variance.
  const a = FrameStatistics.of(Float32Array.of(0, 2), 1, 0, 2);
  const b = FrameStatistics.of(Float32Array.of(10, 12, 14), 1, 0, 3);
  const all = [0, 2, 10, 12, 14];
  const variance = all.reduce((sum, x) => sum + (x - 7.6) ** 2, 0) / 5;
  const expected = (5 * Math.log(variance + 0.3) - 2 * Math.log(1.3) - 3 * Math.log(8 / 3 + 0.3)) / 2;
  expect(a.ratioTo(b)).toBeCloseTo(expected, 10);
});

describe("joining pieces", () => {
  const random = seededRandom(11);
  const centres = [
    [0, 0],
    [40, 0],
    [0, 40],
  ] as const;
  const order = [0, 1, 0, 2, 1, 2, 0];
  const parts = order.map((speaker) => FrameStatistics.of(cloud(300, centres[speaker], random), 2, 0, 300));

  test("finds those of the same speaker, and how many there are", () => {
    const found = mergeSpeakers(parts, 2, { minSpeakers: 1, maxSpeakers: 8 });
    expect([...found].map((speaker) => found.indexOf(speaker))).toEqual(order.map((speaker) => order.indexOf(speaker)));
  });

  test.each([1, 2, 5])("keeps to a number of %i that is known", (count) => {
    expect(new Set(mergeSpeakers(parts, 2, { minSpeakers: count, maxSpeakers: count })).size).toBe(count);
  });

  test("finds no more speakers than there are pieces", () => {
    expect(new Set(mergeSpeakers(parts.slice(0, 2), 2, { minSpeakers: 4, maxSpeakers: 8 })).size).toBe(2);
  });
});

describe("the same sound again", () => {
  const random = seededRandom(5);
  // Speech wanders: frames near each other are alike, stretches of it are not.
  const wandering = (frames: number) => {
    const features = new Float32Array(frames * 2);
    for (let i = 2; i < features.length; i++) features[i] = 0.98 * features[i - 2] + normal(random);
    return features;
  };
  const cut = (features: Float32Array, pieces: readonly Piece[]) => ({
    features,
    pieces,
    statistics: pieces.map(({ from, to }) => FrameStatistics.of(features, 2, from, to)),
  });
  const pieces = [
    { from: 0, to: 200 },
    { from: 200, to: 450 },
    { from: 450, to: 700 },
  ];
  const first = cut(wandering(700), pieces);

  test("is found where it was, cut a little otherwise too", () => {
    const twice = new Float32Array(2800);
    twice.set(first.features);
    twice.set(first.features, 1400);
    const all = cut(twice, [
      ...pieces,
      { from: 700, to: 901 },
      { from: 901, to: 1030 },
      { from: 1030, to: 1150 },
      { from: 1150, to: 1400 },
    ]);
    // 201 frames that begin where the first do; the second piece in two parts; the third as it was.
    expect([...findCopies(all, all, 2)]).toEqual([-1, -1, -1, 100, 265, 390, 575]);
  });

  test("is found in what was cut before", () => {
    const later = cut(first.features.slice(400), [
      { from: 0, to: 250 },
      { from: 250, to: 500 },
    ]);
    expect([...findCopies(later, first, 2)]).toEqual([325, 575]);
  });

  test("is not what sounds alike", () => {
    const other = cut(wandering(700), pieces);
    expect([...findCopies(other, first, 2)]).toEqual([-1, -1, -1]);
    expect([...findCopies(first, first, 2)]).toEqual([-1, -1, -1]);
  });

  test("of nothing is nothing", () => {
    const none = cut(new Float32Array(0), findChanges(new Float32Array(0), 2, []));
    expect(findCopies(none, none, 2)).toHaveLength(0);
    expect([...findCopies(first, none, 2)]).toEqual([-1, -1, -1]);
  });
});

describe("telling voices apart", () => {
  const { samples, turns } = voices([0, 1, 0, 1], 4);
  const speech = turns.map(({ start, end }) => ({ start, end }));
  const found = diarizeByGaussians(sourceOf(samples), speech, { minSpeakers: 1, maxSpeakers: 8 }, never);

  test("gives each voice its turns", async () => {
    const ordered = orderTurns(await found, 0.5);
    expect(ordered.map(({ speaker }) => speaker)).toEqual([0, 1, 0, 1]);
    ordered.forEach((turn, i) => {
      expect(Math.abs(turn.start - turns[i].start)).toBeLessThan(0.6);
      expect(Math.abs(turn.end - turns[i].end)).toBeLessThan(0.6);
    });
  });

  test("gives the same answer again", async () => {
    const again = await diarizeByGaussians(sourceOf(samples), speech, { minSpeakers: 1, maxSpeakers: 8 }, never);
    expect(again).toEqual(await found);
  });

  test("with one speaker says that it is one", async () => {
    const one = await diarizeByGaussians(sourceOf(samples), speech, { minSpeakers: 1, maxSpeakers: 1 }, never);
    expect(new Set(one.map(({ speaker }) => speaker))).toEqual(new Set([0]));
  });

  test.each([
    ["no speech", []],
    ["speech behind the end", [{ start: 100, end: 101 }]],
  ])("finds nobody in %s", async (_, none) => {
    expect(await diarizeByGaussians(sourceOf(samples), none, { minSpeakers: 2, maxSpeakers: 2 }, never)).toEqual([]);
  });

  test("takes 0.4 seconds", async () => {
    const short = await diarizeByGaussians(
      sourceOf(samples.subarray(0, 6400)),
      [{ start: 0, end: 0.4 }],
      { minSpeakers: 2, maxSpeakers: 4 },
      never,
    );
    expect(short).toEqual([{ start: 0, end: expect.closeTo(0.4, 1), speaker: 0 }]);
  });

  test("stops when it is told to", async () => {
    const stopped = AbortSignal.abort(new Error("stop"));
    const work = diarizeByGaussians(sourceOf(samples), speech, { minSpeakers: 1, maxSpeakers: 8 }, stopped);
    await expect(work).rejects.toThrow("stop");
  });

  test("finds them again over the chunks of a long recording", async () => {
    // The same seconds of samples over and over, more than three chunks of them.
    const repeats = 4;
    const length = Math.floor(samples.length / 160) * 160;
    const seconds = length / 16_000;
    const source = {
      sampleCount: repeats * length,
      async read(start: number, count: number) {
        return Float32Array.from(
          { length: Math.min(count, repeats * length - start) },
          (_, i) => samples[(start + i) % length],
        );
      },
    };
    const all = Array.from({ length: repeats }, (_, k) =>
      speech.map(({ start, end }) => ({ start: start + k * seconds, end: end + k * seconds })),
    ).flat();
    const long = orderTurns(
      await diarizeByGaussians(source, all, { minSpeakers: 1, maxSpeakers: 8 }, never, { chunkSeconds: 20 }),
      0.5,
    );
    expect(long.map(({ speaker }) => speaker)).toEqual(Array.from({ length: repeats * 4 }, (_, i) => i % 2));
  });
});

describe("speakers whose voices are alike", () => {
  // A voice in eight pieces, then another: labelled as three, the first voice's halves apart.
  const { samples, turns } = voices([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1], 3);
  const openFrames = () =>
    new SpeechFrames(
      sourceOf(samples),
      turns.map(({ start, end }) => ({ start, end })),
      600,
    );
  const labelled = (frames: SpeechFrames) =>
    Uint8Array.from({ length: frames.count }, (_, i) => Math.floor((3 * i) / frames.count));

  test("are joined, others are not", async () => {
    const frames = openFrames();
    const labels = labelled(frames);
    expect(await joinAlike(frames, labels, 1, new AbortController().signal)).toBe(true);
    expect(new Set(labels)).toEqual(new Set([0, 2]));
    expect(await joinAlike(frames, labels, 1, new AbortController().signal)).toBe(false);
  });

  test("stay apart where so many are known to be there", async () => {
    const frames = openFrames();
    const labels = labelled(frames);
    expect(await joinAlike(frames, labels, 3, new AbortController().signal)).toBe(false);
    expect(new Set(labels)).toEqual(new Set([0, 1, 2]));
  });
});
