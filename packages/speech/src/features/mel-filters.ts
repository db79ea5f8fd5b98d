/** One triangular filter: weights for the spectrum's bins from `first` on. */
export type MelFilter = { first: number; weights: Float64Array };

/**
 * Triangular filters of equal area on Slaney's mel scale (linear below 1 kHz, logarithmic above), from 0 Hz to half the
 * sampling rate: M. Slaney, Auditory Toolbox (1998), as Whisper's published features use it.
 */
export function melFilters(bins: number, fftSize: number, sampleRate: number): MelFilter[] {
  const spectrumBins = Math.floor(fftSize / 2) + 1;
  const topMel = hertzToMel(sampleRate / 2);
  const edges = Array.from({ length: bins + 2 }, (_, i) => melToHertz((topMel * i) / (bins + 1)));
  return Array.from({ length: bins }, (_, bin) => {
    const [low, centre, high] = edges.slice(bin, bin + 3);
    const all = new Float64Array(spectrumBins);
    for (let k = 0; k < spectrumBins; k++) {
      const hertz = (k * sampleRate) / fftSize;
      const rise = (hertz - low) / (centre - low);
      const fall = (high - hertz) / (high - centre);
      all[k] = Math.max(0, Math.min(rise, fall)) * (2 / (high - low));
    }
    const first = all.findIndex((weight) => weight > 0);
    const last = all.findLastIndex((weight) => weight > 0);
    return first < 0 ? { first: 0, weights: new Float64Array(0) } : { first, weights: all.slice(first, last + 1) };
  });
}

const LINEAR_HERTZ_PER_MEL = 200 / 3;
const LOG_START_HERTZ = 1000;
const LOG_START_MEL = LOG_START_HERTZ / LINEAR_HERTZ_PER_MEL;
const LOG_STEP = Math.log(6.4) / 27;

function hertzToMel(hertz: number): number {
  if (hertz < LOG_START_HERTZ) return hertz / LINEAR_HERTZ_PER_MEL;
  return LOG_START_MEL + Math.log(hertz / LOG_START_HERTZ) / LOG_STEP;
}

function melToHertz(mel: number): number {
  if (mel < LOG_START_MEL) return mel * LINEAR_HERTZ_PER_MEL;
  return LOG_START_HERTZ * Math.exp(LOG_STEP * (mel - LOG_START_MEL));
}
