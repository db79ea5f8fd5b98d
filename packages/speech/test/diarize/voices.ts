import { seededRandom } from "../../src/diarize/gaussian/gaussian-mixture.ts";
import type { SampleSource, SpeakerTurn } from "../../src/diarize/turns.ts";

const RATE = 16_000;
/** Pitch and resonances, in hertz, of voices that no ear would take for each other. */
const VOICES = [
  { pitch: 110, resonances: [600, 1200, 2500] },
  { pitch: 210, resonances: [850, 1900, 3300] },
  { pitch: 160, resonances: [400, 2300, 4000] },
];

/**
 * Samples in which artificial voices take turns of `seconds`, with 0.4 s of silence between them: pulses through three
 * resonances that move from syllable to syllable, and some noise.
 */
export function voices(order: readonly number[], seconds: number): { samples: Float32Array; turns: SpeakerTurn[] } {
  const random = seededRandom(17);
  const pause = 0.4 * RATE;
  const samples = new Float32Array(Math.ceil(order.length * (seconds * RATE + pause) + pause));
  const turns: SpeakerTurn[] = [];
  let at = pause;
  for (const speaker of order) {
    speak(samples.subarray(at, at + seconds * RATE), VOICES[speaker], random);
    turns.push({ start: at / RATE, end: at / RATE + seconds, speaker });
    at += seconds * RATE + pause;
  }
  for (let i = 0; i < samples.length; i++) samples[i] += (random() - 0.5) * 0.002;
  return { samples, turns };
}

function speak(out: Float32Array, { pitch, resonances }: (typeof VOICES)[number], random: () => number) {
  let phase = 0;
  const state = resonances.map(() => [0, 0]);
  let now = resonances;
  for (let i = 0; i < out.length; i++) {
    if (i % 2400 === 0) now = resonances.map((hertz) => hertz * (0.85 + 0.3 * random()));
    phase += pitch / RATE;
    const pulse = phase >= 1 ? 1 : 0;
    phase %= 1;
    let signal = pulse + (random() - 0.5) * 0.05;
    now.forEach((hertz, k) => {
      const radius = Math.exp((-Math.PI * 120) / RATE);
      const value =
        signal + 2 * radius * Math.cos((2 * Math.PI * hertz) / RATE) * state[k][0] - radius ** 2 * state[k][1];
      state[k] = [value, state[k][0]];
      signal = value * (1 - radius);
    });
    out[i] = signal * 4;
  }
}

/** Samples in memory, read by ranges. */
export const sourceOf = (samples: Float32Array): SampleSource => ({
  sampleCount: samples.length,
  async read(start, count, into) {
    const found = samples.slice(start, start + count);
    into?.set(found);
    return into ? into.subarray(0, found.length) : found;
  },
});
