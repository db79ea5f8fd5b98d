import { z } from "zod";

const size = z
  .int()
  .min(1)
  .max(2 ** 24);
const tokenId = z
  .int()
  .min(0)
  .max(2 ** 24);
const tokenIds = z.array(tokenId);

/** `config.json`: the shapes of the network. */
export const configSchema = z.object({
  model_type: z.literal("whisper"),
  d_model: size,
  encoder_layers: size,
  decoder_layers: size,
  encoder_attention_heads: size,
  decoder_attention_heads: size,
  num_mel_bins: size,
  max_source_positions: size,
  max_target_positions: size,
  vocab_size: size,
  median_filter_width: z.int().min(1).max(99).default(7),
  suppress_tokens: tokenIds.nullish(),
  begin_suppress_tokens: tokenIds.nullish(),
  forced_decoder_ids: z.array(z.tuple([z.int(), tokenId.nullable()])).nullish(),
});

/** `generation_config.json`: how text is drawn from the network. Older models lack it, and say less in `config.json`. */
export const generationSchema = z.object({
  is_multilingual: z.boolean().optional(),
  suppress_tokens: tokenIds.nullish(),
  begin_suppress_tokens: tokenIds.nullish(),
  alignment_heads: z.array(z.tuple([z.int().min(0), z.int().min(0)])).nullish(),
  lang_to_id: z.record(z.string(), tokenId).nullish(),
  max_initial_timestamp_index: z.int().min(0).nullish(),
  forced_decoder_ids: z.array(z.tuple([z.int(), tokenId.nullable()])).nullish(),
});

/** `preprocessor_config.json`: how sound becomes features. */
export const preprocessorSchema = z.object({
  feature_size: size,
  hop_length: size,
  n_fft: z
    .int()
    .min(2)
    .max(2 ** 16),
  sampling_rate: z.literal(16000),
  chunk_length: z.int().min(1).max(600),
});

export type ModelConfig = z.infer<typeof configSchema>;
export type GenerationConfig = z.infer<typeof generationSchema>;
