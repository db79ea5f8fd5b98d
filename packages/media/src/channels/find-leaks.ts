import { LEVEL_STEPS, toLevel } from "./measure-channels.ts";

/** Levels are smoothed over so many frames on each side: 220 ms together, a syllable. */
const SMOOTH = 5;
/** Frames count as speech of a channel within so many decibels of its loud ones. */
const LOUD_DB = 15;
const AUDIBLE_DB = 30;
/** A leak is told by differences that keep to one figure: this share of them within 3 dB of it. */
const LEAK_SHARE = 0.3;
const LEAK_WIDTH_DB = 3;
/** What is so much above the leak's own level is speech of the channel itself. */
const MARGIN_DB = 5;
/** Louder than this, compared with the other, is never taken for a leak. */
const LOUDEST_LEAK_DB = -8;
/** Where no leak shows: what is so far below the other's speech cannot be understood beside it. */
const DROWNED_DB = -25;
/** Around a leak, in frames: its rise and its echo, and holes in it that are no syllable. */
const BEFORE = 4;
const AFTER = 10;
const HOLE = 8;
const SHORTEST = 5;

/**
 * Where a channel of a call holds no more than what leaks into it from another: `[channel][frame]`, 1 where it is to be
 * muted. How loud the leak of each into each is, is read from the recording: while one speaks and the other does not,
 * the difference of their levels keeps to one figure. Both may speak at once, and neither is muted then.
 *
 * @param levels as `measureChannels` tells them
 */
export function findLeaks(levels: readonly Uint8Array[]): Uint8Array[] {
  const smooth = levels.map(smoothed);
  const loud = smooth.map(loudLevel);
  return smooth.map((own, channel) => {
    const muted = new Uint8Array(own.length);
    smooth.forEach((other, from) => {
      if (from === channel || loud[from]! <= toLevel(-60)) return;
      const least = leakThreshold(own, other, loud[from]!) * LEVEL_STEPS;
      const audible = loud[from]! - AUDIBLE_DB * LEVEL_STEPS;
      for (let f = 0; f < own.length; f++) if (other[f]! >= audible && own[f]! - other[f]! < least) muted[f] = 1;
    });
    return tidy(muted, (f) => smooth.some((other, from) => from !== channel && other[f]! - own[f]! > 6 * LEVEL_STEPS));
  });
}

/** The mean power of the frames around each, as a level. */
function smoothed(levels: Uint8Array): Uint8Array {
  const powers = Float64Array.from({ length: 256 }, (_, level) => 10 ** (level / LEVEL_STEPS / 10));
  const out = new Uint8Array(levels.length);
  let sum = 0;
  for (let f = -SMOOTH; f < levels.length; f++) {
    if (f + SMOOTH < levels.length) sum += powers[levels[f + SMOOTH]!]!;
    if (f - SMOOTH > 0) sum -= powers[levels[f - SMOOTH - 1]!]!;
    if (f < 0) continue;
    const frames = Math.min(levels.length, f + SMOOTH + 1) - Math.max(0, f - SMOOTH);
    out[f] = Math.round(LEVEL_STEPS * 10 * Math.log10(Math.max(1, sum / frames)));
  }
  return out;
}

/** What 5 % of the frames that hold anything are louder than. */
function loudLevel(levels: Uint8Array): number {
  const counts = new Float64Array(256);
  for (const level of levels) if (level > toLevel(-60)) counts[level]!++;
  let left = 0.05 * counts.reduce((sum, count) => sum + count, 0);
  for (let level = 255; level > 0; level--) {
    left -= counts[level]!;
    if (left < 0) return level;
  }
  return 0;
}

/** Below how many decibels, compared with `other`, `own` holds nothing of its own while `other` speaks. */
function leakThreshold(own: Uint8Array, other: Uint8Array, loud: number): number {
  const counts = new Float64Array(129);
  let frames = 0;
  for (let f = 0; f < own.length; f++) {
    if (other[f]! < loud - LOUD_DB * LEVEL_STEPS) continue;
    frames++;
    const below = Math.round((other[f]! - own[f]!) / LEVEL_STEPS);
    if (below >= -LOUDEST_LEAK_DB) counts[below]!++;
  }
  let [most, leak] = [0, 0];
  for (let below = LEAK_WIDTH_DB; below + LEAK_WIDTH_DB < counts.length; below++) {
    let near = 0;
    for (let i = below - LEAK_WIDTH_DB; i <= below + LEAK_WIDTH_DB; i++) near += counts[i]!;
    if (near > most) [most, leak] = [near, below];
  }
  return most < LEAK_SHARE * frames ? DROWNED_DB : Math.max(DROWNED_DB, Math.min(LOUDEST_LEAK_DB, MARGIN_DB - leak));
}

/** Closes holes and widens what is muted, where others are still louder; leaves out what is too short to be a leak. */
function tidy(muted: Uint8Array, drowned: (frame: number) => boolean): Uint8Array {
  const out = new Uint8Array(muted.length);
  for (const [from, to] of runsOf(muted, HOLE, drowned)) {
    if (to - from < SHORTEST) continue;
    let [first, end] = [from, to];
    while (first > 0 && from - first < BEFORE && drowned(first - 1)) first--;
    while (end < muted.length && end - to < AFTER && drowned(end)) end++;
    out.fill(1, first, end);
  }
  return out;
}

function runsOf(muted: Uint8Array, hole: number, drowned: (frame: number) => boolean): [number, number][] {
  const runs: [number, number][] = [];
  for (let f = 0; f < muted.length; f++) {
    if (!muted[f]) continue;
    let end = f + 1;
    while (end < muted.length && muted[end]) end++;
    const before = runs.at(-1);
    if (before && f - before[1] < hole && allOf(before[1], f, drowned)) before[1] = end;
    else runs.push([f, end]);
    f = end;
  }
  return runs;
}

function allOf(from: number, to: number, holds: (frame: number) => boolean): boolean {
  for (let f = from; f < to; f++) if (!holds(f)) return false;
  return true;
}
