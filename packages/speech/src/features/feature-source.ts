import type { PcmFile } from "../audio/pcm-file.ts";
import { freeMemory } from "../sessions/free-memory.ts";
import { type FeatureSettings, type LogMel, maximumOf, scaleLogMel } from "./log-mel.ts";

/** Windows of log-mel features of one audio file. */
export interface FeatureSource {
  /** Features `[melBins, windowFrames]` of the `contentFrames` frames from `startFrame` on, and silence behind them. */
  window(startFrame: number, contentFrames: number): Promise<Float32Array>;
}

/** Features `[melBins, windowFrames]` of a window's samples with silence behind them, limited by their own maximum, in memory of their own. */
export type WindowFeatures = (samples: Float32Array) => Float32Array | Promise<Float32Array>;

/** Each window on its own: zero samples behind its content, limited by its own maximum. What other windows hold is no matter. */
export function windowFeatures(
  pcm: PcmFile,
  features: WindowFeatures,
  { hopSize }: Pick<FeatureSettings, "hopSize">,
): FeatureSource {
  return {
    async window(startFrame, contentFrames) {
      // Samples behind the last whole frame belong to the content where the audio ends there.
      const atEnd = (startFrame + contentFrames + 1) * hopSize > pcm.sampleCount;
      const count = contentFrames * hopSize + (atEnd ? hopSize : 0);
      const samples = await pcm.read(startFrame * hopSize, count);
      const mel = await features(samples);
      freeMemory(samples);
      return mel;
    },
  };
}

/**
 * Whisper's reference way: frames see their neighbours across windows, all are limited by the maximum over the whole file
 * (read once in advance, a window at a time), and behind the content stand zeros of the scaled features.
 */
export async function wholeFileFeatures(
  pcm: PcmFile,
  logMel: LogMel,
  windowFrames: number,
  signal: AbortSignal,
): Promise<FeatureSource> {
  const { melBins, fftSize, hopSize } = logMel.settings;
  const margin = fftSize >> 1;
  const logPower = async (startFrame: number, frames: number) => {
    const first = startFrame * hopSize - margin;
    const samples = new Float32Array((frames - 1) * hopSize + fftSize);
    samples.set(await pcm.read(Math.max(0, first), samples.length + Math.min(0, first)), Math.max(0, -first));
    // The file's beginning is mirrored; its end is followed by zeros.
    for (let i = 0; i < -first; i++) samples[i] = samples[-2 * first - i];
    return logMel.logPower(samples, frames);
  };

  const fileFrames = Math.ceil(pcm.sampleCount / hopSize);
  let maximum = Number.NEGATIVE_INFINITY;
  for (let frame = 0; frame < fileFrames; frame += windowFrames) {
    signal.throwIfAborted();
    maximum = Math.max(maximum, maximumOf(await logPower(frame, Math.min(windowFrames, fileFrames + 2 - frame))));
  }
  return {
    async window(startFrame, contentFrames) {
      const content = scaleLogMel(await logPower(startFrame, contentFrames), maximum);
      const mel = new Float32Array(melBins * windowFrames);
      for (let bin = 0; bin < melBins; bin++) {
        mel.set(content.subarray(bin * contentFrames, (bin + 1) * contentFrames), bin * windowFrames);
      }
      return mel;
    },
  };
}
