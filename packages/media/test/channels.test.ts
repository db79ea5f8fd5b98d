import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { LEVEL_FRAME_SECONDS, separateChannels } from "../src/index.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scribe-channels-"));
});
afterAll(() => rm(folder, { recursive: true }));

const RATE = 16_000;
const never = new AbortController().signal;
type Sound = (seconds: number) => number;

/** Syllables of a voice: noise that comes and goes four times a second, and is louder and quieter between. */
function voice(seed: number, speaks: (seconds: number) => boolean, loudness = 0.2): Sound {
  return (t) => {
    if (!speaks(t)) return 0;
    const n = Math.sin(t * RATE * 12.9898 + seed * 78.233) * 43758.5453;
    const syllable = Math.abs(Math.sin(Math.PI * 4 * t)) * (0.85 + 0.15 * Math.sin(t * 1.7 + seed));
    return loudness * syllable * 2 * (n - Math.floor(n) - 0.5);
  };
}
const hiss: Sound = (t) => 0.0006 * Math.sin(t * RATE * (1 + (t % 0.37)));

async function separate(sounds: Sound[], seconds: number) {
  const paths = await Promise.all(
    sounds.map(async (sound, channel) => {
      const samples = Int16Array.from({ length: seconds * RATE }, (_, i) => Math.round(32_767 * sound(i / RATE)));
      const path = join(folder, `${channel}.pcm`);
      await writeFile(path, Buffer.from(samples.buffer));
      return path;
    }),
  );
  const measured = await separateChannels(paths, never);
  const after = await Promise.all(
    paths.map(async (path) => {
      const bytes = await readFile(path);
      return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
    }),
  );
  /** The share of samples between two times that are muted. */
  const muted = (channel: number, from: number, to: number) => {
    const span = after[channel]!.subarray(from * RATE, to * RATE);
    return span.filter((value) => value === 0).length / span.length;
  };
  return { ...measured, muted, after };
}

/** Three seconds each in turn: the first from 0, 6, 12 …, the second from 3, 9, 15 …. */
const inTurn = (party: number) => (t: number) => Math.floor(t / 3) % 2 === party;

describe("channels that leak into each other", () => {
  test.each([-12, -20, -26])("at %i dB: what is the other's is muted, what is their own stays", async (db) => {
    const leak = 10 ** (db / 20);
    const [a, b] = [voice(1, inTurn(0)), voice(2, inTurn(1))];
    const { muted } = await separate([(t) => a(t) + leak * b(t) + hiss(t), (t) => b(t) + leak * a(t) + hiss(t)], 24);
    for (let turn = 0; turn < 8; turn++) {
      const [own, other] = [turn % 2, 1 - (turn % 2)];
      expect(muted(other, turn * 3 + 0.2, turn * 3 + 2.8)).toBeGreaterThan(0.9);
      expect(muted(own, turn * 3 + 0.2, turn * 3 + 2.8)).toBeLessThan(0.03);
    }
  });

  test("neither is muted where both speak, though one is 10 dB quieter", async () => {
    const a = voice(1, (t) => inTurn(0)(t) || t > 18);
    const b = voice(2, (t) => inTurn(1)(t) || t > 18, 0.2 / 3.16);
    const { muted } = await separate([(t) => a(t) + 0.1 * b(t) + hiss(t), (t) => b(t) + 0.1 * a(t) + hiss(t)], 24);
    expect(muted(0, 18.2, 23.8)).toBeLessThan(0.05);
    expect(muted(1, 18.2, 23.8)).toBeLessThan(0.2);
    expect(muted(1, 12.2, 14.8)).toBeGreaterThan(0.9);
  });

  test("a party that never speaks is muted wherever the other does", async () => {
    const a = voice(1, inTurn(0));
    const { muted, silent } = await separate([(t) => a(t) + hiss(t), (t) => 0.1 * a(t) + hiss(t)], 18);
    expect(silent).toEqual([false, false]);
    expect(muted(1, 6.2, 8.8)).toBeGreaterThan(0.9);
    expect(muted(0, 6.2, 8.8)).toBeLessThan(0.03);
  });

  test("no click is heard where muting begins and ends", async () => {
    const hum: Sound = (t) => 0.02 * Math.sin(2 * Math.PI * 50 * t);
    const a = voice(1, inTurn(0), 0.9);
    const { after } = await separate([a, hum], 12);
    const quiet = after[1]!;
    const highest = quiet.reduce((most, value, i) => Math.max(most, Math.abs(value - (quiet[i - 1] ?? value))), 0);
    expect(quiet.filter((value) => value === 0).length).toBeGreaterThan(RATE);
    expect(highest).toBeLessThan(50);
  });
});

describe("channels as they are", () => {
  test("copies are told, louder, quieter and turned over; what leaks is none", async () => {
    const [a, b] = [voice(1, () => true), voice(2, () => true)];
    const { copyOf } = await separate(
      [a, (t) => 0.3 * a(t), (t) => b(t) + 0.3 * a(t), (t) => -0.5 * b(t) - 0.15 * a(t)],
      4,
    );
    expect(copyOf).toEqual([null, 0, null, 2]);
  });

  test("silence is told, and a click is none of a party's words", async () => {
    const click: Sound = (t) => (t > 1 && t < 1.01 ? 0.5 : 0);
    const { silent, copyOf } = await separate([voice(1, () => true), () => 0, click], 3);
    expect(silent).toEqual([false, true, true]);
    expect(copyOf).toEqual([null, null, null]);
  });

  test("levels are half decibels above −127.5 dB, a figure for each 20 ms", async () => {
    const { levels } = await separate([(t) => (t < 1 ? 0.5 : 0), () => 0.05], 2.5);
    expect(levels.map((level) => level.length)).toEqual([2.5 / LEVEL_FRAME_SECONDS, 2.5 / LEVEL_FRAME_SECONDS]);
    expect([levels[0]![10], levels[1]![10], levels[0]![80]]).toEqual([Math.round(2 * (127.5 - 6.02)), 203, 0]);
  });

  test("an abort ends it", async () => {
    const path = join(folder, "0.pcm");
    await writeFile(path, Buffer.alloc(64_000));
    await expect(separateChannels([path, path], AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  });
});
