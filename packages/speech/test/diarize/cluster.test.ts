import { describe, expect, test } from "@jest/globals";
import { agglomerate, cutTree } from "../../src/diarize/cluster/agglomerate.ts";
import { blockCentroids, clusterEmbeddings, nearestSpeaker } from "../../src/diarize/cluster/cluster-embeddings.ts";
import { vbx } from "../../src/diarize/cluster/vbx.ts";
import { seededRandom } from "../../src/diarize/gaussian/gaussian-mixture.ts";
import { givenEmbeddings } from "./given-embeddings.ts";

/** Centroid linkage by its definition: means of members, all pairs anew at every join. */
function naiveJoins(points: Float32Array, width: number) {
  let clusters = Array.from({ length: points.length / width }, (_, i) => [i]);
  const joins: { members: number[]; distance: number }[] = [];
  const centre = (members: number[], d: number) =>
    members.reduce((sum, i) => sum + points[i * width + d], 0) / members.length;
  while (clusters.length > 1) {
    let best = { distance: Number.POSITIVE_INFINITY, i: 0, j: 0 };
    clusters.forEach((a, i) => {
      clusters.slice(0, i).forEach((b, j) => {
        const distance = Math.hypot(...Array.from({ length: width }, (_, d) => centre(a, d) - centre(b, d)));
        if (distance < best.distance) best = { distance, i, j };
      });
    });
    const members = [...clusters[best.i], ...clusters[best.j]].sort((a, b) => a - b);
    joins.push({ members, distance: best.distance });
    clusters = [...clusters.filter((_, i) => i !== best.i && i !== best.j), members];
  }
  return joins;
}

describe("agglomerative clustering", () => {
  test.each([
    ["kept", undefined],
    ["measured again", 0],
  ])("joins as the definition of centroid linkage says, distances %s", (_, mostKnown) => {
    const random = seededRandom(8);
    for (let round = 0; round < 10; round++) {
      const [n, width] = [12, 3];
      const points = Float32Array.from({ length: n * width }, random);
      const members = Array.from({ length: n }, (_, i) => [i]);
      const found = agglomerate(points, width, undefined, mostKnown).map(({ a, b, distance }) => {
        members.push([...members[a], ...members[b]].sort((x, y) => x - y));
        return { members: members.at(-1)!, distance };
      });
      const expected = naiveJoins(points, width);
      expect(found.map((join) => join.members)).toEqual(expected.map((join) => join.members));
      for (const [i, { distance }] of found.entries()) expect(distance).toBeCloseTo(expected[i].distance, 6);
    }
  });

  test("is cut into branches without a farther join", () => {
    const points = Float32Array.of(0, 0.1, 5, 5.2, 9);
    const joins = agglomerate(points, 1);
    expect([...cutTree(joins, 5, 0.15)]).toEqual([0, 0, 1, 2, 3]);
    expect([...cutTree(joins, 5, 1)]).toEqual([0, 0, 1, 1, 2]);
    expect([...cutTree(joins, 5, 100)]).toEqual([0, 0, 0, 0, 0]);
    expect([...cutTree([], 1, 1)]).toEqual([0]);
  });
});

describe("speakers from embeddings", () => {
  const random = seededRandom(12);
  const width = 16;
  const voice = (speaker: number) =>
    Float32Array.from({ length: width }, (_, d) => (d === speaker ? 3 : 0) + 0.3 * (random() - 0.5));
  const make = (order: readonly number[]) => {
    const all = new Float32Array(order.length * width);
    order.forEach((speaker, i) => {
      all.set(voice(speaker), i * width);
    });
    return givenEmbeddings(all, width);
  };
  const any = { minSpeakers: 1, maxSpeakers: 50 };

  test("are as many as there are voices, and know them again", () => {
    const centroids = clusterEmbeddings(make(Array.from({ length: 90 }, (_, i) => i % 3)), any);
    expect(centroids.count).toBe(3);
    const found = [0, 1, 2].map((speaker) => nearestSpeaker(voice(speaker), centroids));
    expect(new Set(found).size).toBe(3);
  });

  test("leave small clusters to the large ones", () => {
    const order = [...Array.from({ length: 60 }, (_, i) => i % 2), 5];
    expect(clusterEmbeddings(make(order), any).count).toBe(2);
  });

  test.each([1, 2, 3])("keep to a number of %i", (count) => {
    const embeddings = make(Array.from({ length: 90 }, (_, i) => i % 3));
    expect(clusterEmbeddings(embeddings, { minSpeakers: count, maxSpeakers: count }).count).toBe(count);
  });

  test("of hours are found by blocks", () => {
    const embeddings = make(Array.from({ length: 2600 }, (_, i) => (i < 1300 ? i % 2 : 1 + (i % 3))));
    expect(clusterEmbeddings(embeddings, any).count).toBe(4);
  });

  test("of hours in which no two are alike are few before all are joined", () => {
    const random = seededRandom(12);
    const strangers = Float32Array.from({ length: 1500 * 32 }, () => random() - 0.5);
    let told = 0;
    const { weights, values } = blockCentroids(givenEmbeddings(strangers, 32), () => told++);
    expect(told).toBe(2);
    expect(weights.length).toBeLessThanOrEqual(100);
    expect(values.length).toBe(weights.length * 32);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(1500);
  });

  test("of one is one, and of none is none", () => {
    expect(clusterEmbeddings(make([1]), any).count).toBe(1);
    expect(clusterEmbeddings(make([]), any).count).toBe(0);
  });
});

describe("VBx", () => {
  const random = seededRandom(31);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const [n, width, speakers] = [60, 8, 3];
  // The model itself as generator: speakers' means have variances phi, vectors have variance one about them.
  const phi = Float64Array.from({ length: width }, (_, d) => 40 / (d + 1));
  const means = Array.from({ length: speakers }, () => Array.from(phi, (variance) => Math.sqrt(variance) * normal()));
  const truth = Array.from({ length: n }, (_, i) => i % speakers);
  const vectors = Float64Array.from(
    { length: n * width },
    (_, at) => means[truth[Math.floor(at / width)]][at % width] + normal(),
  );
  // A first guess that splits each speaker in two.
  const guess = Int32Array.from(truth, (speaker, i) => speaker + (i % 2 === 0 ? 0 : speakers));

  /** The same equations (16, 17, 23 of the paper), matrix by matrix. */
  function byTheBook() {
    const [fa, fb] = [0.07, 0.8];
    const clusters = 2 * speakers;
    let gamma = Array.from(guess, (label) => {
      const row = Array.from({ length: clusters }, (_, c) => Math.exp(c === label ? 7 : 0));
      const sum = row.reduce((a, b) => a + b);
      return row.map((value) => value / sum);
    });
    let pi = new Array<number>(clusters).fill(1 / clusters);
    let before = Number.NEGATIVE_INFINITY;
    for (let iteration = 0; iteration < 20; iteration++) {
      const invL = Array.from({ length: clusters }, (_, c) =>
        Array.from(phi, (p) => 1 / (1 + (fa / fb) * gamma.reduce((sum, row) => sum + row[c], 0) * p)),
      );
      const alpha = invL.map((row, c) =>
        row.map((inverse, d) => {
          const sum = gamma.reduce((total, g, i) => total + g[c] * vectors[i * width + d] * Math.sqrt(phi[d]), 0);
          return (fa / fb) * inverse * sum;
        }),
      );
      let elbo = 0;
      gamma = gamma.map((_, i) => {
        const logs = alpha.map((a, c) => {
          let value = 0;
          for (let d = 0; d < width; d++) {
            const x = vectors[i * width + d];
            value += x * Math.sqrt(phi[d]) * a[d] - 0.5 * phi[d] * (invL[c][d] + a[d] ** 2);
            value -= 0.5 * (x ** 2 + Math.log(2 * Math.PI));
          }
          return fa * value + Math.log(pi[c] + 1e-8);
        });
        const total = Math.log(logs.reduce((sum, value) => sum + Math.exp(value), 0));
        elbo += total;
        return logs.map((value) => Math.exp(value - total));
      });
      pi = pi.map((_, c) => gamma.reduce((sum, row) => sum + row[c], 0) / n);
      invL.forEach((row, c) => {
        row.forEach((inverse, d) => {
          elbo += 0.5 * fb * (Math.log(inverse) - inverse - alpha[c][d] ** 2 + 1);
        });
      });
      if (elbo - before < 1e-4) break;
      before = elbo;
    }
    return { gamma, pi };
  }

  test("agrees with its equations", () => {
    const { responsibilities, shares } = vbx(vectors, phi, guess);
    const { gamma, pi } = byTheBook();
    gamma.flat().forEach((value, at) => {
      expect(responsibilities[at]).toBeCloseTo(value, 8);
    });
    pi.forEach((value, c) => {
      expect(shares[c]).toBeCloseTo(value, 8);
    });
  });

  test("keeps the voices apart", () => {
    const { responsibilities } = vbx(vectors, phi, Int32Array.from(truth));
    for (let i = 0; i < n; i++) {
      const row = [...responsibilities.subarray(i * speakers, (i + 1) * speakers)];
      expect(row.indexOf(Math.max(...row))).toBe(truth[i]);
    }
  });
});
