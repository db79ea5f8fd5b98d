import { findLeaks } from "./find-leaks.ts";
import { type MeasuredChannels, measureChannels } from "./measure-channels.ts";
import { muteFrames } from "./mute-frames.ts";

/**
 * Readies the channels of a call for being listened to one by one: tells which are silent or copies of others, and mutes,
 * in the files, what leaks from one channel into another. `levels` are those before. Throws the signal's reason.
 *
 * @param paths one file a channel: 16 kHz mono signed 16-bit little-endian PCM, without header
 */
export async function separateChannels(paths: readonly string[], signal: AbortSignal): Promise<MeasuredChannels> {
  const measured = await measureChannels(paths, signal);
  // A copy is no leak of its original: neither may mute the other.
  const distinct = paths.flatMap((path, i) =>
    measured.silent[i] || measured.copyOf[i] !== null ? [] : [{ path, levels: measured.levels[i]! }],
  );
  const leaks = findLeaks(distinct.map(({ levels }) => levels));
  for (const [i, { path }] of distinct.entries()) await muteFrames(path, leaks[i]!, signal);
  return measured;
}
