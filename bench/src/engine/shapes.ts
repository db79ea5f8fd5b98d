/** The sizes of a published Whisper. */
export interface Shape {
  width: number;
  heads: number;
  layers: number;
  /** As many as `layers` where absent. */
  decoderLayers?: number;
  /** `MEL_BINS` where absent. */
  melBins?: number;
}

export const SHAPES = {
  tiny: { width: 384, heads: 6, layers: 4 },
  base: { width: 512, heads: 8, layers: 6 },
  small: { width: 768, heads: 12, layers: 12 },
} as const satisfies Record<string, Shape>;

/** large-v3-turbo: the largest encoder there is, and a decoder of four layers. */
export const TURBO: Shape = { width: 1280, heads: 20, layers: 32, decoderLayers: 4, melBins: 128 };

export type ShapeName = keyof typeof SHAPES;

/** What all published sizes up to `medium` have in common, multilingual. */
export const MEL_BINS = 80;
export const POSITIONS = 1500;
export const TEXT_POSITIONS = 448;
export const VOCABULARY = 51_865;
export const END_OF_TEXT = 50_257;
export const FIRST_TIMESTAMP = 50_364;
