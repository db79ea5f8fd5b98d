import type { SpeechOptions } from "@scribe/speech";

/** As the peers are run: what is in doubt is not heard again, in parts or at other temperatures. */
export const GREEDY: SpeechOptions = { temperature: 0, logprob_threshold: null, compression_ratio_threshold: null };
