/** The sizes of a published Whisper. */
export interface Shape {
  width: number;
  heads: number;
  layers: number;
}

export const SHAPES = {
  tiny: { width: 384, heads: 6, layers: 4 },
  base: { width: 512, heads: 8, layers: 6 },
  small: { width: 768, heads: 12, layers: 12 },
} as const satisfies Record<string, Shape>;

export type ShapeName = keyof typeof SHAPES;

/** What all published sizes up to `medium` have in common, multilingual. */
export const MEL_BINS = 80;
export const POSITIONS = 1500;
export const TEXT_POSITIONS = 448;
export const VOCABULARY = 51_865;
export const END_OF_TEXT = 50_257;
export const FIRST_TIMESTAMP = 50_364;
